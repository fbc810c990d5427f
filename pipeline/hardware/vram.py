"""Limit torch's video memory, and test whether the GPU still answers."""

import re
import sys
from typing import Any


def forbid_spilling(limit: int, total: int, system: str = sys.platform) -> None:
    """Let torch raise out-of-memory at `limit` bytes of a GPU with `total` bytes.

    On Windows NVIDIA's driver falls back to RAM instead of failing (its "sysmem fallback policy", since 536.40):
    nothing
    fails, but every step takes 5 to 50 times as long. Other systems' drivers fail by themselves.
    """
    torch: Any = sys.modules.get("torch")
    if system == "win32" and total > 0 and torch is not None and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(min(1.0, max(0.05, limit / total)))


def gpu_is_lost() -> bool:
    """Tell whether every CUDA call fails in this process: after an illegal access, driver reset or hibernation."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def peak_since_last() -> int:
    """Return the peak of torch's allocated GPU bytes since the last call; 0 without a GPU."""
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
