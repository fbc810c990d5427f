"""Read when a process started, as a time that setting the clock does not change.

On Linux `psutil.Process.create_time` adds the start of the system to what the kernel counts from it. That start is
computed from the clock: it moves when the clock is set, and with it the age of every process.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import psutil

BOOT = Path("/proc/sys/kernel/random/boot_id")
"""Holds another text after each start of the system."""


class StartTime(NamedTuple):
    """When a process started. Together with its id it names one process for ever.

    Attributes:
        seconds: Since the system started where `boot` is set, else in Unix seconds.
        boot: Identifies the start of the system; "" where the system's own start times never change.
    """

    seconds: float
    boot: str = ""


def start_time(process: psutil.Process) -> StartTime:
    """Return when a process started.

    Raises:
        psutil.Error: It is gone.
        OSError: It is gone.
    """
    if sys.platform != "linux":
        return StartTime(process.create_time())
    # The process's name stands in brackets, and may hold any character.
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return StartTime(int(fields[19]) / os.sysconf("SC_CLK_TCK"), _boot())


def _boot() -> str:
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:  # a sandbox that does not show it
        return "this one"
