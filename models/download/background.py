"""Downloads as durable jobs: each in a process of its own, its state in a file that every page and command reads.

Not in the jobs' database: a download belongs to the machine's disk, not to the queue, and must not wait for a worker
that is busy with a video, nor end with one. A file a model, replaced atomically by the one process that holds the
lock, needs no more. The process outlives the page that started it; after a reboot `resume` takes it up again.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from ...errors import BadInput, Cancelled, FanslymotionError
from ...fs import users_umask, write_json, write_whole
from ...messages import msg
from ...presets import HubPreset, Presets, load_presets
from ...settings import Settings
from .http import Patience
from .hub import DownloadError, disk_error
from .model import DownloadProgress, download, folder_of

log = logging.getLogger(__name__)

LOCK_WAIT = 3.0
"""Seconds a new process waits for the lock of one that is just ending."""
START_WAIT = 20.0
"""Seconds until a process that was started must have written its first state (an interpreter and a few imports)."""
OVER = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class DownloadState:
    """One download as it stands. status: `starting`, `running`, `interrupted` (its process is gone), or one of OVER.

    Bytes; speed in bytes a second; times in Unix seconds. code, error, page: of a failed one: the fault's stable name,
    the sentence for the user, and the page to visit where that helps.
    """

    model: str
    status: str
    phase: str = ""
    file: str = ""
    done: int = 0
    total: int = 0
    speed: float = 0.0
    seconds_left: float | None = None
    message: str = ""
    code: str = ""
    error: str = ""
    page: str = ""
    started: float = 0.0
    updated: float = 0.0
    pid: int = 0
    born: float = 0.0

    @property
    def over(self) -> bool:
        return self.status in OVER

    @property
    def fraction(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


class Downloads:
    """The downloads of one machine. Cheap to make; usable from any thread and any process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.models / ".downloads"

    def start(self, name: str, presets: Presets | None = None) -> DownloadState:
        """Begin, or go on with, a model's download in a process of its own; return at once.

        Raise PresetError or BadInput when there is nothing to download. One that runs already stays as it is.
        """
        preset = (presets or load_presets(self.settings)).downloadable(name)
        if preset.source != "hub":
            raise BadInput(msg("{name} is not downloaded: it lies in {folder}", name=name, folder=preset.folder))
        running = self.state(name)
        if running and running.status in ("starting", "running"):
            return running
        self._open(name)
        state = DownloadState(name, "starting", phase="asking", started=time.time(), updated=time.time())
        if running:
            state = replace(state, done=running.done, total=running.total)
        self.write(state)
        self._spawn(name)
        return state

    def state(self, name: str) -> DownloadState | None:
        """None when this model was never downloaded here."""
        state = self._read(name)
        if state is None or state.over:
            return state
        alive = _alive(state.pid, state.born) if state.pid else time.time() - state.updated < START_WAIT
        return state if alive else replace(state, status="interrupted", speed=0.0, seconds_left=None)

    def all(self) -> list[DownloadState]:
        """Every download there is a state of, the newest first."""
        try:
            names = [path.name.removesuffix(".state.json") for path in self.folder.glob("*.state.json")]
        except OSError:
            return []
        states = [state for name in names if (state := self.state(name))]
        return sorted(states, key=lambda state: -state.started)

    def resume(self, presets: Presets | None = None) -> list[str]:
        """Start those again that a reboot or a kill interrupted; call it when the page or the worker starts."""
        names = [state.model for state in self.all() if state.status == "interrupted"]
        for name in names:
            try:
                self.start(name, presets)
            except FanslymotionError as e:  # its preset is gone: nothing to go on with
                log.warning("the download of %s does not go on: %s", name, e)
        return names

    def cancel(self, name: str) -> None:
        """Stop it; what is downloaded stays and is used the next time. Nothing happens when none runs."""
        state = self.state(name)
        if state is None or state.over:
            return
        if state.status == "interrupted":
            self.write(replace(state, status="cancelled"))
            return
        try:
            write_whole(self.cancel_path(name), "")
        except OSError as e:
            raise disk_error(self.folder, e) from e

    def run(
        self,
        name: str,
        follow: Callable[[DownloadState], None] = lambda state: None,
        *,
        recheck: bool = False,
        patience: Patience | None = None,
    ) -> DownloadState:
        """Download in this process; every moment also goes into the state that pages read. Raise DownloadError & co.

        When another process has it in work, its progress is followed instead. follow: called a few times a second.
        """
        preset = load_presets(self.settings).downloadable(name)
        before = self.state(name)
        if before is None or before.status not in ("starting", "running"):  # else the wish to stop may be for this one
            self._open(name)
        lock = FileLock(self.folder / f"{name}.lock")
        try:
            with lock.acquire(timeout=LOCK_WAIT):
                return _Run(self, preset, follow).run(recheck, patience)
        except Timeout:
            return self._follow(name, follow)

    def _open(self, name: str) -> None:
        """Make the folder, and forget an old wish to stop. Raise DownloadError where nothing can be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.cancel_path(name).unlink(missing_ok=True)
            with open(self.folder / f"{name}.log", "ab"):
                pass
        except OSError as e:
            raise disk_error(self.folder, e) from e

    def write(self, state: DownloadState) -> None:
        """Replace the state. One that cannot be written is no error: the next is a quarter of a second away."""
        path = self._state_path(state.model)
        try:
            write_json(path, asdict(state))
        except OSError as e:
            log.debug("%s was not written: %s", path, e)

    def forget(self, name: str) -> None:
        """Remove every trace but the model itself."""
        for suffix in ("state.json", "files.json", "cancel", "log"):
            (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)

    def cancel_path(self, name: str) -> Path:
        return self.folder / f"{name}.cancel"

    def _state_path(self, name: str) -> Path:
        return self.folder / f"{name}.state.json"

    def _read(self, name: str) -> DownloadState | None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            return DownloadState(**json.loads(self._state_path(name).read_text(encoding="utf-8")))
        return None

    def _follow(self, name: str, follow: Callable[[DownloadState], None]) -> DownloadState:
        while (state := self.state(name)) is not None:
            follow(state)
            if state.status == "failed":
                raise DownloadError(state.code, state.error, page=state.page)
            if state.over or state.status == "interrupted":
                return state
            time.sleep(0.25)
        return DownloadState(name, "cancelled")

    def _spawn(self, name: str) -> None:
        """In a session of its own: Ctrl+C in the page's window, or its end, does not reach it."""
        detach: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            detach = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
        with open(self.folder / f"{name}.log", "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fanslymotion.models.download.process", name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.settings.environ() | {"PYTHONUTF8": "1"},  # the log's file has the code page otherwise
                cwd=self.folder,
                umask=users_umask(),
                **detach,
            )
        with _lock:
            _started.append(process)


_lock = threading.Lock()
_started: list[subprocess.Popen] = []
"""Ours to collect: an ended child nobody waits for would stay as a zombie that looks alive."""


class _Run:
    """A download in this process, with its state kept for the others."""

    def __init__(self, downloads: Downloads, preset: HubPreset, follow: Callable[[DownloadState], None]) -> None:
        self.downloads = downloads
        self.preset = preset
        self.follow = follow
        now = time.time()
        self.state = DownloadState(
            preset.name, "running", started=now, updated=now, pid=os.getpid(), born=psutil.Process().create_time()
        )

    def run(self, recheck: bool, patience: Patience | None) -> DownloadState:
        self.downloads.write(self.state)
        try:
            folder = download(
                self.preset, self.downloads.settings, self._report, recheck=recheck, patience=patience
            )  # fmt: skip
            log.info("%s is here and whole: %s", self.preset.name, folder)
            return self._end("done", done=self.state.total)
        except (Cancelled, KeyboardInterrupt):
            self._end("cancelled")
            raise
        except FanslymotionError as e:
            self._fail(e, e.code, getattr(e, "page", ""))
            raise
        except Exception as e:
            self._fail(e, "FM-JOB-000", "")
            raise

    def _report(self, moment: DownloadProgress) -> None:
        if self.downloads.cancel_path(self.preset.name).exists():
            raise Cancelled
        self._keep(**asdict(moment))

    def _keep(self, **changes: Any) -> None:
        self.state = replace(self.state, updated=time.time(), **changes)
        self.downloads.write(self.state)
        self.follow(self.state)

    def _end(self, status: str, **changes: Any) -> DownloadState:
        self.downloads.cancel_path(self.preset.name).unlink(missing_ok=True)
        self._keep(status=status, speed=0.0, seconds_left=None, message="", **changes)
        return self.state

    def _fail(self, error: Exception, code: str, page: str) -> None:
        self._end("failed", code=code, error=str(error), page=page)


def _alive(pid: int, born: float) -> bool:
    """The very process, not a later one with its number."""
    with _lock:
        _started[:] = [process for process in _started if process.poll() is None]
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def partial_bytes(preset: HubPreset, settings: Settings) -> int:
    """What an unfinished download holds already."""
    try:
        return sum(path.stat().st_size for path in folder_of(preset, settings).rglob("*.part"))
    except OSError:
        return 0
