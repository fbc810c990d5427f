"""What the processor is called and which numbers it computes in. Never imports torch."""

import logging
import platform
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


@cache
def cpu_flags() -> frozenset[str]:
    """Instruction sets, as Linux names them, that torch makes use of.

    None on a Mac: its wheels come without oneDNN, and multiply bf16 numbers in a plain loop, 11 to 56 times slower
    than 32-bit ones (pytorch #127484), whatever the processor could do.
    """
    try:
        if sys.platform == "linux":
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
            line = next((x for x in lines if x.startswith(("flags", "Features"))), "")
            return frozenset(line.partition(":")[2].split())
        if sys.platform == "win32":
            return _windows_flags()
    except OSError as e:
        log.debug("CPU flags: %s", e)
    return frozenset()


def _windows_flags() -> frozenset[str]:
    """Windows itself tells of AVX-512 only; of bf16 the running torch knows, and without it the processor's name.

    AMD has bf16 since Zen 4 (EPYC 9xx4, Ryzen 7000), Intel in its servers since Xeon "4th generation" (family 6, 143).
    """
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined]
    found = {"avx512f"} if kernel.IsProcessorFeaturePresent(41) else set()  # PF_AVX512F_INSTRUCTIONS_AVAILABLE
    torch: Any = sys.modules.get("torch")
    try:
        bf16 = torch.cpu._is_avx512_bf16_supported() if torch else _has_bf16(platform.processor())
    except AttributeError:  # another torch than the pinned one
        bf16 = _has_bf16(platform.processor())
    if found and bf16:
        found.add("avx512_bf16")
    return frozenset(found)


def _has_bf16(processor: str) -> bool:
    """processor: `AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD`, of one that has AVX-512."""
    match = re.search(r"Family (\d+) Model (\d+)", processor)
    family, model = (int(match[1]), int(match[2])) if match else (0, 0)
    if "AuthenticAMD" in processor:
        return family >= 25  # the only family 25 with AVX-512 is Zen 4
    return family == 6 and model in (143, 173, 174, 207)  # Sapphire, Granite and Emerald Rapids


def cpu_bf16() -> bool:
    """Whether the CPU multiplies bf16 numbers itself; without it they are slower than 32-bit ones."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & cpu_flags())


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
