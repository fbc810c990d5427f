"""Run Python in a process of its own for a check, and read why it failed."""

import subprocess
import sys

from ..settings import Settings

UTF8 = {"PYTHONUTF8": "1"}
"""For Python children whose output is read: a pipe has the system's code page otherwise (Windows)."""


def run_python(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run this Python with arguments, and capture its output. It gets the settings through its environment."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=settings.environ() | UTF8,
    )


def last_error(done: "subprocess.CompletedProcess[str]") -> str:
    """Return the last line of a failed process's errors."""
    return (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
