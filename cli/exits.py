"""End a command that failed: one sentence on stderr, and an exit code."""

import os
import sys
from typing import NoReturn

from rich.text import Text

from ..console import err
from ..errors import BadInput, FanslymotionError
from ..messages import harmless

DONE, FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 130
"""Exit codes of the whole `fanslymotion` command."""


def folder_is_here() -> bool:
    """Tell whether the command's working directory still exists."""
    try:
        return os.path.isdir(os.getcwd())
    except OSError:
        return False


def show_error(error: Exception | str) -> None:
    """Print an error as one sentence to stderr."""
    err().print(Text.assemble(("Error: ", "bold red"), harmless(str(error))), soft_wrap=True)


def fail(error: FanslymotionError) -> NoReturn:
    """Print the error and end the command: exit code 2 for bad input, 1 for anything else."""
    show_error(error)
    sys.exit(BAD_INPUT if isinstance(error, BadInput) else FAILED)
