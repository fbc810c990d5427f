"""Find ffmpeg, start and end its processes, and explain their failures."""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from ...errors import RenderError
from ...messages import Message, codes, msg

REINSTALL = msg("reinstall it: python -m pip install --force-reinstall imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE")

CREATION_FLAGS = 0
if sys.platform == "win32":
    CREATION_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
"""With `start_new_session=True` (POSIX) this keeps the terminal's Ctrl+C from ffmpeg: we end it, or let it finish."""


def ffmpeg_path() -> str:
    """Return the path of imageio-ffmpeg's ffmpeg, or `IMAGEIO_FFMPEG_EXE`. Raise RenderError if there is none."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except (RuntimeError, OSError) as e:
        raise RenderError(msg("ffmpeg was not found; {reinstall}", reinstall=REINSTALL), code=codes.NO_ENCODER) from e


MAX_STDERR_LINES = 40

FINISH_TIMEOUT = 600.0
"""Seconds ffmpeg may take for the frames it still holds after the last one was handed over."""
POLL_SECONDS = 0.05

PROGRESS = ("-progress", "pipe:1", "-stats_period", "0.2")
"""Options with which ffmpeg writes how far it is to stdout, in lines of key=value, every so many seconds."""


class FfmpegProcess:
    """A running ffmpeg. Its stderr is read continuously, because a full pipe would block it.

    Args:
        arguments: Without the program's name.
        stdin: As for `subprocess.Popen`; a pipe is unbuffered.
        stdout: Likewise.

    Attributes:
        process: The process.

    Raises:
        RenderError: ffmpeg cannot be found or started.
    """

    def __init__(self, arguments: list[str], stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL) -> None:
        self.program = ffmpeg_path()
        try:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                [self.program, *arguments],
                bufsize=0,
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                start_new_session=True,
                creationflags=CREATION_FLAGS,
            )
        except OSError as e:
            raise not_started(self.program, e) from e
        assert self.process.stderr
        self._stderr: deque[str] = deque(maxlen=MAX_STDERR_LINES)
        self._readers: list[Thread] = []
        self._read(self.process.stderr, self._stderr.append)

    def _read(self, stream: IO[bytes], take: Callable[[str], None]) -> None:
        """Hand each line of a stream to `take`, on a thread of its own."""
        reader = Thread(target=_drain, args=(stream, take), daemon=True)
        self._readers.append(reader)
        reader.start()

    @property
    def said(self) -> str:
        """The last lines that ffmpeg has written to stderr."""
        return "\n".join(self._stderr).strip()

    def failure(self, folder: Path, otherwise: Message) -> RenderError:
        """Wait for a failed process to end, and return why it failed.

        Args:
            folder: Its output folder.
            otherwise: The message if the cause is unknown.
        """
        self.end(grace=5.0)
        said = self.said
        cause, code = otherwise, codes.NO_ENCODER
        if "No space left on device" in said or "disk full" in said.lower():
            cause, code = disk_full(folder), codes.DISK_FULL
        elif "Unknown encoder" in said:
            cause = msg(
                "this ffmpeg ({program}) was built without an encoder that is needed; {reinstall}",
                program=self.program,
                reinstall=REINSTALL,
            )
        elif "Permission denied" in said:
            cause = msg("the folder {folder} cannot be written; choose another one", folder=folder)
            code = codes.VIDEO_NOT_WRITTEN
        return RenderError(msg("{cause}\n{said}", cause=cause, said=said) if said else cause, code=code)

    def end(self, grace: float = 0.0) -> None:
        """End the process; no zombie, thread or open pipe remains.

        Args:
            grace: Seconds before it is killed.
        """
        if self.process.stdin:
            with suppress(OSError):  # the pipe may be broken, which is why we are here
                self.process.stdin.close()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


class EncodingProcess(FfmpegProcess):
    """An ffmpeg that reads raw frames and writes a file.

    Args:
        arguments: Without the program's name.
        folder: Its output folder.

    Attributes:
        encoded: Number of frames encoded. About thirty more may be in its queues and x264's lookahead.
    """

    def __init__(self, arguments: list[str], folder: Path) -> None:
        super().__init__([*PROGRESS, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._folder = folder
        self.encoded = 0
        assert self.process.stdout
        self._read(self.process.stdout, self._count)

    def _count(self, line: str) -> None:
        key, _, value = line.partition("=")
        if key == "frame":
            self.encoded = int(value)

    def write(self, data: bytes | memoryview) -> None:
        """Hand over bytes; blocks while ffmpeg is busy. Raise RenderError once it has ended."""
        assert self.process.stdin
        left = memoryview(data)
        try:
            while left:  # an unbuffered pipe may take less than it was given
                left = left[self.process.stdin.write(left) :]
        except OSError as e:  # EPIPE, on Windows EINVAL: ffmpeg is gone, and its stderr knows why
            raise self._failed() from e

    def finish(self, poll: Callable[[], object] = lambda: None, timeout: float = FINISH_TIMEOUT) -> None:
        """Wait until ffmpeg has written the frames that it still holds.

        Args:
            poll: Called meanwhile; may raise, which ends the wait.
            timeout: Seconds.

        Raises:
            RenderError: It failed or timed out.
        """
        assert self.process.stdin
        try:
            self.process.stdin.close()
        except OSError as e:
            raise self._failed() from e
        end = time.monotonic() + timeout
        while (code := self.process.poll()) is None:
            poll()
            if time.monotonic() > end:
                raise too_slow(timeout)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(POLL_SECONDS)
        if code:
            raise self._failed()

    def _failed(self) -> RenderError:
        self.end(grace=5.0)
        ended = self.process.returncode
        return self.failure(
            self._folder, msg("the video could not be encoded (ffmpeg ended with code {code})", code=ended)
        )


def _drain(stream: IO[bytes], take: Callable[[str], None]) -> None:
    for line in stream:
        take(line.decode("utf-8", "replace").rstrip())


def not_started(program: str, error: OSError) -> RenderError:
    """Return the error for an ffmpeg that cannot be started."""
    return RenderError(
        msg(
            "ffmpeg cannot be started ({program}): {error}; {reinstall}",
            program=program,
            error=error.strerror or error,
            reinstall=REINSTALL,
        ),
        code=codes.NO_ENCODER,
    )


def too_slow(seconds: float) -> RenderError:
    """Return the error for an ffmpeg that timed out."""
    return RenderError(
        msg("ffmpeg did not finish within {seconds:.0f} s; try again", seconds=seconds), code=codes.NO_ENCODER
    )


def disk_full(folder: Path) -> Message:
    """Return the message for a full disk."""
    return msg("the disk with {folder} is full; free some space and retry", folder=folder)
