"""Print to the terminal: results to stdout, everything else to stderr. The system's language."""

import json
import locale
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from .messages import harmless

PIPE_WIDTH = 1000
"""Columns where stdout is no terminal: another program gets lines that are not broken."""


def out() -> Console:
    """Return a console on stdout, for results. It prints texts as they are: nothing in them is markup."""
    unbroken = not _is_terminal() and "COLUMNS" not in os.environ
    return Console(highlight=False, markup=False, width=PIPE_WIDTH if unbroken else None)


def err() -> Console:
    """Return a console on stderr, for everything else, so that stdout can be piped. As `out`."""
    return Console(stderr=True, highlight=False, markup=False)


def print_path(path: Path) -> None:
    """Print a file's path to stdout. Another program gets it exactly, letter by letter."""
    print(harmless(str(path)) if _is_terminal() else path)


def print_json(data: Any) -> None:
    """Print one line of JSON to stdout, in ASCII: every console and every parser takes it."""
    print(json.dumps(data, default=str), flush=True)


def system_language() -> str:
    """Return the system's language as two letters, from `ru_RU` or, on Windows, `Russian_Russia`; else `en`."""
    try:
        name = locale.getlocale()[0]
    except ValueError:  # one that Python does not know
        name = None
    return (name or "en")[:2].lower()


def draws_bars(console: Console) -> bool:
    """Tell whether a moving bar can be drawn: not into a pipe or a file, nor on a terminal that only adds letters."""
    return console.is_terminal and not console.is_dumb_terminal


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed from the beginning
