"""Print what the launcher does, and define the error that ends it."""

import io
import sys


class SetupError(Exception):
    """The set-up cannot go on. The text says why and what to do."""


def say(text: str) -> None:
    """Print a line to stderr: stdout belongs to the command that is started afterwards (`generate --json`)."""
    print(f"fanslymotion: {text}", file=sys.stderr, flush=True)


def utf8_errors() -> None:
    """Write UTF-8 into pipes and files, as the command does afterwards; a Windows console has its own way."""
    if not sys.stderr.isatty() and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
