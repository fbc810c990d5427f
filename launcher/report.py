"""Print what the launcher does, and define the error that ends it."""

import io
import os
import sys

STDERR = 2
"""The highest number of a standard stream."""


class SetupError(Exception):
    """The set-up cannot go on. The text says why and what to do."""


def say(text: str) -> None:
    """Print a line to stderr: stdout belongs to the command that is started afterwards (`generate --json`)."""
    print(f"fanslymotion: {text}", file=sys.stderr, flush=True)


def prepare_streams() -> None:
    """Open the standard streams that are closed, and write errors in UTF-8 into pipes and files.

    The number of a closed stream would be given to the next file that is opened, and what child processes print would
    go there. A Windows console has its own way of writing.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = os.fdopen(STDERR, "w", encoding="utf-8", closefd=False)
    if not sys.stderr.isatty() and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
