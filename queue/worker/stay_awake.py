"""Keep the computer awake while a job runs: a laptop may sleep after minutes without input."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

ES_CONTINUOUS, ES_SYSTEM_REQUIRED = 0x80000000, 0x00000001
"""Flags of the thread's execution state, which stays until it is set again.

Source: Microsoft, SetThreadExecutionState.
"""
SYSTEMD = Path("/run/systemd/system")


@contextmanager
def stay_awake(system: str = sys.platform) -> Iterator[None]:
    """Prevent sleep during the block, where the system supports it. The screen may still turn off.

    Enter and leave it on the same thread. Errors of the system are ignored.

    Args:
        system: as `sys.platform`.
    """
    if system == "win32":
        _tell_windows(ES_CONTINUOUS | ES_SYSTEM_REQUIRED)
        try:
            yield
        finally:
            _tell_windows(ES_CONTINUOUS)
        return
    holder = _start(inhibitor(system))
    try:
        yield
    finally:
        if holder is not None:
            _end(holder)


def inhibitor(system: str) -> list[str]:
    """Return the command that prevents sleep until its input ends (Linux) or this process ends (macOS), or []."""
    if system == "darwin":
        return ["caffeinate", "-i", "-w", str(os.getpid())]
    program = shutil.which("systemd-inhibit") if SYSTEMD.is_dir() else None
    if program is None:
        return []
    why = ["--what=sleep:idle", "--who=fanslymotion", "--why=A video is being made", "--mode=block"]
    return [program, *why, "cat"]


def _tell_windows(state: int) -> None:
    import ctypes

    with suppress(OSError, AttributeError):
        windll: Any = ctypes.windll  # type: ignore[attr-defined]
        windll.kernel32.SetThreadExecutionState(state)


def _start(command: list[str]) -> "subprocess.Popen[bytes] | None":
    if not command:
        return None
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as e:
        log.debug("Sleep is not held off: %s", e)
        return None


def _end(holder: "subprocess.Popen[bytes]") -> None:
    with suppress(OSError):
        if holder.stdin is not None:
            holder.stdin.close()
        holder.terminate()
    with suppress(subprocess.TimeoutExpired):
        holder.wait(5)
