"""Prepare stdout and stderr: any name can be printed, and their reader may exit before the command."""

import errno
import os
import sys
from typing import Any, TextIO, cast


def utf8_streams() -> None:
    """Switch stdout and stderr to UTF-8: a redirected Windows stream would be cp1252 and fail on Cyrillic names.

    stderr never carries a result, so the command continues if its reader exits.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.stderr = outliving_its_reader(sys.stderr)


def outliving_its_reader(stream: TextIO) -> TextIO:
    """Return a stream that drops what is written after its reader has exited, instead of ending the command.

    As in `fanslymotion generate photo.jpg 2>&1 | head -1`. rich would exit with 1 without any message.

    Args:
        stream: stdout or stderr. None, if there is none, is returned as it is.
    """
    return cast("TextIO", _Outliving(stream)) if hasattr(stream, "write") else stream


def reader_is_gone(error: OSError) -> bool:
    """Tell whether a write failed because the program that reads our output has exited.

    As in `fanslymotion jobs list | head`. Windows reports "invalid argument".
    """
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def send_nowhere(stream: TextIO) -> None:
    """Redirect a stream's unwritten rest to the null device: Python would write it again at exit, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def discard_output() -> None:
    """Discard unwritten output to stdout and stderr if they cannot be flushed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # closed from the beginning
            continue
        except OSError:
            send_nowhere(stream)


class _Outliving:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as e:
            self._leave(e)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as e:
            self._leave(e)

    def _leave(self, error: OSError) -> None:
        if not reader_is_gone(error):
            raise error
        send_nowhere(self._stream)
