"""End a command that cannot do what was asked: one sentence on stderr, and an exit code."""

import errno
import os
import sys
from typing import NoReturn

from ..errors import BadInput, FanslymotionError
from .console import BAD_INPUT, FAILED, show_error


def folder_is_here() -> bool:
    """Whether the folder that the command was started in still exists."""
    try:
        return os.path.isdir(os.getcwd())
    except OSError:
        return False


def reader_is_gone(error: OSError) -> bool:
    """Whether a write failed because the program that reads our output has ended.

    As in `fanslymotion jobs list | head`. Windows says "invalid argument" there.
    """
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def discard_output() -> None:
    """Send what is still to be written nowhere: Python's end would try it once more, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # closed from the beginning
            continue
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def fail(error: FanslymotionError) -> NoReturn:
    """Print the error as a sentence and end the command: exit code 2 for bad input, 1 for anything else."""
    show_error(error)
    sys.exit(BAD_INPUT if isinstance(error, BadInput) else FAILED)
