"""Let a job have the processor's fast cores on Windows, which gives slow ones to programs without a window in sight."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

POWER_THROTTLING = 4
"""ProcessPowerThrottling of PROCESS_INFORMATION_CLASS."""
EXECUTION_SPEED = 0x1
"""PROCESS_POWER_THROTTLING_EXECUTION_SPEED."""
THIS_PROCESS = -1
"""The handle that GetCurrentProcess returns."""


class PowerThrottling(ctypes.Structure):
    """PROCESS_POWER_THROTTLING_STATE: what is `control`led is switched on or off by `state`; else Windows decides."""

    _fields_ = (("version", ctypes.c_uint32), ("control", ctypes.c_uint32), ("state", ctypes.c_uint32))


@contextmanager
def full_speed(system: str = sys.platform) -> Iterator[None]:
    """Switch this process's power throttling off during the block. Errors of the system are ignored.

    A worker has no window, and its console may be minimised: Windows 11 may run it on the efficiency cores, then.

    Args:
        system: as `sys.platform`.

    Source: Microsoft, SetProcessInformation ("HighQoS").
    """
    if system != "win32":
        yield
        return
    _tell_windows(EXECUTION_SPEED)
    try:
        yield
    finally:
        _tell_windows(0)


def _tell_windows(control: int) -> None:
    wish = PowerThrottling(1, control, 0)
    with suppress(OSError, AttributeError):  # Windows before version 1709
        windll: Any = ctypes.windll  # type: ignore[attr-defined]
        windll.kernel32.SetProcessInformation(
            ctypes.c_void_p(THIS_PROCESS), POWER_THROTTLING, ctypes.byref(wish), ctypes.sizeof(wish)
        )
