"""End a command that cannot do what was asked: one sentence on stderr, and an exit code."""

import os
import sys
from typing import NoReturn

from ..errors import BadInput, FanslymotionError
from .console import BAD_INPUT, FAILED, show_error
from .text_streams import send_nowhere


def folder_is_here() -> bool:
    """Whether the folder that the command was started in still exists."""
    try:
        return os.path.isdir(os.getcwd())
    except OSError:
        return False


def discard_output() -> None:
    """Send what is still to be written nowhere: Python's end would try it once more, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # closed from the beginning
            continue
        except OSError:
            send_nowhere(stream)


def fail(error: FanslymotionError) -> NoReturn:
    """Print the error as a sentence and end the command: exit code 2 for bad input, 1 for anything else."""
    show_error(error)
    sys.exit(BAD_INPUT if isinstance(error, BadInput) else FAILED)
