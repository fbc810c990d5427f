"""Keep a loaded model between jobs, and load models so that a cancelled job need not wait for the disk."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from ..errors import Cancelled
from .families import check_model, family
from .families.base import ModelFolder, VideoModel, parts
from .families.placement import Placement, choose_placement
from .families.weights.compiling import Compiler
from .hardware.malloc import free_memory

PartCallback = Callable[[str, int], None]
"""Called a few times a second while a model loads, with the part in work and the count of finished ones. May raise."""

POLL_SECONDS = 0.2


T = TypeVar("T")


def run_beside(work: Callable[[], T], poll: Callable[[], None]) -> T:
    """Run work in a thread, and call `poll` a few times per second. Return the work's result or raise its error.

    If `poll` raises, its error is raised when the work has ended: the work cannot be interrupted, and must not overlap
    with the next job.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="fanslymotion-beside") as beside:
        future = beside.submit(work)
        while not future.done():
            poll()
            wait([future], POLL_SECONDS)
        return future.result()


class ModelCache:
    """Keep one loaded model. One thread uses it at a time; a second one waits.

    Args:
        shortcuts: See `Family.load`.
        compiler: Compiles the models; None = torch's compiler.
    """

    def __init__(self, shortcuts: bool = True, compiler: Compiler | None = None) -> None:
        self._shortcuts = shortcuts
        self.compiler = compiler or Compiler()
        self._lock = threading.Lock()
        self._loaded: VideoModel | None = None
        self._loading: _Loading | None = None

    def get(
        self,
        model: ModelFolder,
        on_part: PartCallback = lambda part, done: None,
        placement: Placement | None = None,
    ) -> VideoModel:
        """Return the cached model, or load it.

        Args:
            model: The model's folder.
            on_part: Called in this thread while another one loads. Cancelled, raised here, ends the wait at once; the
                load is dropped at its next component.
            placement: Device, dtype and offload; None = the default.

        Raises:
            ModelError: The folder is incomplete or damaged.
        """
        with self._lock:
            placement = placement or choose_placement()
            if self.is_warm(model, placement) and self._fresh(model):
                assert self._loaded is not None
                return self._loaded
            self._drop()
            if not model.random:
                # Before the seconds that the libraries take.
                check_model(model.folder, model.preset)
            self._loading = _Loading(model, placement, self._shortcuts)
            self._loaded = self._loading.wait(on_part)
            self._loading = None
            return self._loaded

    def _fresh(self, model: ModelFolder) -> bool:
        """Tell whether the folder's files are still those of the cached model."""
        assert self._loaded is not None
        return check_model(model.folder, model.preset).fingerprint == self._loaded.fingerprint

    def is_warm(self, model: ModelFolder, placement: Placement) -> bool:
        """Tell whether the model is loaded with this placement, and usable."""
        kept = self._loaded
        return kept is not None and (kept.model, kept.placement) == (model, placement) and kept.whole

    @property
    def loaded(self) -> ModelFolder | None:
        """Return the loaded model's folder, or None."""
        return self._loaded.model if self._loaded else None

    def release(self) -> None:
        """Release the model's memory; the next `get` loads again."""
        with self._lock:
            self._drop()

    def forget_failed(self) -> None:
        """Drop a failed load, whose error keeps tensors alive."""
        with self._lock:
            if self._loading is not None:
                self._drop()

    def _drop(self) -> None:
        if self._loading is not None:
            self._loading.abandon()
            self._loading = None
        if self._loaded is not None:
            self._loaded = None
            free_memory()


class _Loading:
    """A load in a thread of its own: the wait for it can be interrupted, disk reads cannot."""

    def __init__(self, model: ModelFolder, placement: Placement, shortcuts: bool) -> None:
        self._parts = parts(family(model.preset.family))
        self._done = 0
        self._stop = threading.Event()
        self._result: VideoModel | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, args=(model, placement, shortcuts), name="fanslymotion-load", daemon=True
        )
        self._thread.start()

    def wait(self, on_part: PartCallback) -> VideoModel:
        try:
            on_part(self._parts[0], 0)
            while self._thread.is_alive():
                on_part(self._parts[min(self._done, len(self._parts) - 1)], self._done)
                self._thread.join(POLL_SECONDS)
            if self._error is None:
                on_part(self._parts[-1], len(self._parts))
        except BaseException:
            self._stop.set()
            raise
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def abandon(self) -> None:
        """End a load whose result is no longer needed, before another one takes memory."""
        self._stop.set()
        self._thread.join()
        self._result = None

    def _run(self, model: ModelFolder, placement: Placement, shortcuts: bool) -> None:
        try:
            self._result = family(model.preset.family).load(model, placement, self._finished, shortcuts)
        except BaseException as e:
            self._error = e

    def _finished(self, part: str) -> None:
        self._done += 1
        if self._stop.is_set():
            raise Cancelled
