"""Encode in a thread while the model still decodes. Errors of the thread are raised in the caller."""

import queue
import threading
from collections.abc import Callable, Iterator

import numpy as np

POLL_SECONDS = 0.2


class _Abandoned(Exception):
    """Raised in the thread while it waits for frames, so that the encoder cleans up."""


class EncoderThread:
    """Context manager that runs `make` in a thread with an iterator of the frames given to `put`.

    Leaving the block with an exception abandons the work, and waits until the thread has ended.

    Args:
        make: Encodes all frames of the iterator.
        depth: Largest number of queued frames, so that memory does not grow with the clip's length.

    Attributes:
        given: Number of frames handed over.
        finished: `make` has returned.
    """

    def __init__(self, make: Callable[[Iterator[np.ndarray]], None], depth: int = 8) -> None:
        self._make = make
        self._frames: queue.Queue[np.ndarray | None] = queue.Queue(maxsize=depth)
        self._abandoned = threading.Event()
        self._error: BaseException | None = None
        self.given = 0
        self.finished = False
        self._thread = threading.Thread(target=self._run, name="fanslymotion-encoder", daemon=True)

    def __enter__(self) -> "EncoderThread":
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._abandoned.set()
        self._thread.join()

    def put(self, frame: np.ndarray | None, poll: Callable[[], None]) -> None:
        """Hand over a frame (None ends the video).

        Args:
            frame: uint8 RGB (height, width, 3).
            poll: Called while the queue is full; may raise.
        """
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
        """Return the number of frames that the slower side, decoder or thread, has processed. For the caller of `put`.

        If the thread is the slower side, the first frames are handed over at once, because the queue is empty. Their
        number says nothing about the pace of the next ones.

        Args:
            frames: Of the whole video; returned when all are handed over.
        """
        taken = self.given - self._frames.qsize()
        return min(self.given, taken * frames / max(1, frames - self._frames.maxsize))

    def check(self) -> None:
        """Raise if the work is abandoned. `make` calls it in long steps."""
        if self._abandoned.is_set():
            raise _Abandoned

    def finish(self, poll: Callable[[], None]) -> None:
        """Wait until the file is written. poll: called meanwhile; may raise."""
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
