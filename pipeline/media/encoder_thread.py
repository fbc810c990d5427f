"""Encode in a thread while the model still decodes. The thread's errors are raised in the caller."""

import queue
import threading
from collections.abc import Callable, Iterator

import numpy as np

POLL_SECONDS = 0.2


class _Abandoned(Exception):
    """Raised where the thread waits for frames, so that the encoder's own clean-up runs."""


class EncoderThread:
    """Context manager. `make` gets an iterator of frames and runs on a thread of its own until they end.

    Leaving the block with an exception abandons the work, and waits until the thread has ended.
    depth: frames that may wait between the two; the memory of a clip does not grow with its length.
    """

    def __init__(self, make: Callable[[Iterator[np.ndarray]], None], depth: int = 8) -> None:
        self._make = make
        self._frames: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=depth)
        self._abandoned = threading.Event()
        self._error: BaseException | None = None
        self.given = 0
        """Frames that were handed over."""
        self.finished = False
        """The file is there, whole."""
        self._thread = threading.Thread(target=self._run, name="fanslymotion-encoder", daemon=True)

    def __enter__(self) -> "EncoderThread":
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._abandoned.set()
        self._thread.join()

    def put(self, frame: np.ndarray | None, poll: Callable[[], None]) -> None:
        """Hand over a frame (None ends the video). While the thread is behind, `poll` is called; it may raise."""
        while self._thread.is_alive():
            try:
                self._frames.put(frame, timeout=POLL_SECONDS)
            except queue.Full:
                poll()
            else:
                self.given += frame is not None
                return
        self._raise()

    def through(self, frames: int) -> float:
        """Return how far a video is by the slower side, the decoder or the thread, as a count of frames.

        The first frames are handed over at once where the thread is the slower side, for they may wait. Their number
        is no measure of what the next ones take. For the thread that hands them over.

        Args:
            frames: Of the whole video. When all are handed over, so many are through.
        """
        taken = self.given - self._frames.qsize()
        return min(self.given, taken * frames / max(1, frames - self._frames.maxsize))

    def check(self) -> None:
        """Raise if the work is abandoned. Called in long steps of `make`, to end them."""
        if self._abandoned.is_set():
            raise _Abandoned

    def finish(self, poll: Callable[[], None]) -> None:
        """Wait until the file is there."""
        self.put(None, poll)
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)
            if self._thread.is_alive():
                poll()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._make(self._incoming())
            self.finished = True
        except _Abandoned:
            pass
        except BaseException as e:  # any error of the thread is the job's error: raised in put() or finish()
            self._error = e

    def _incoming(self) -> Iterator[np.ndarray]:
        while True:
            self.check()
            try:
                frame = self._frames.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if frame is None:
                return
            yield frame
