"""Limit torch's video memory, and test whether the GPU still answers."""

import re
import sys
from typing import Any


def forbid_spilling(limit: int, total: int, system: str = sys.platform) -> None:
    """Let torch raise out-of-memory at `limit` bytes of a card with `total`.

    On Windows NVIDIA's driver answers with memory of the machine instead of an error (its "sysmem fallback policy",
    since 536.40): nothing fails, and every step takes 5 to 50 times as long. Elsewhere the driver itself says no.
    """
    torch: Any = sys.modules.get("torch")
    if system == "win32" and total > 0 and torch is not None and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(min(1.0, max(0.05, limit / total)))


def gpu_is_lost() -> bool:
    """Tell whether every call to CUDA fails in this process: after an illegal access, a driver reset, hibernation."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def peak_since_last() -> int:
    """Return the bytes that torch had allocated on the GPU at the highest point since the last call; 0 without one."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    found = int(torch.cuda.max_memory_allocated())
    torch.cuda.reset_peak_memory_stats()
    return found


DRIVER_FAILURES = re.compile(r"CUDA error|illegal memory access|device-side assert|CUDNN_STATUS", re.IGNORECASE)
"""In torch's own words."""


def is_driver_failure(error: BaseException) -> bool:
    """Tell whether torch reports a driver error after which every further call in this process fails."""
    return DRIVER_FAILURES.search(str(error)) is not None
