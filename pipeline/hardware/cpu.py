"""Read the CPU's name and instruction sets. Without torch."""

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
    """Return the instruction sets that torch uses, by Linux's names.

    Empty on a Mac: its wheels lack oneDNN and multiply bf16 in a plain loop, 11 to 56 times slower than fp32
    (pytorch #127484), whatever the CPU supports.
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
    """Read the instruction sets on Windows, which itself reports AVX-512 only.

    bf16 is queried from torch if it is loaded, else inferred from the CPU's name: AMD has it since Zen 4 (EPYC 9xx4,
    Ryzen 7000), Intel in servers since the 4th Xeon generation (family 6, model 143).
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
    """Infer bf16 support from a CPU's name: `AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD`."""
    match = re.search(r"Family (\d+) Model (\d+)", processor)
    family, model = (int(match[1]), int(match[2])) if match else (0, 0)
    if "AuthenticAMD" in processor:
        return family >= 25  # the only family 25 with AVX-512 is Zen 4
    return family == 6 and model in (143, 173, 174, 207)  # Sapphire, Granite and Emerald Rapids


def cpu_bf16() -> bool:
    """Tell whether the CPU multiplies bf16 natively. Without that bf16 is slower than fp32."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & cpu_flags())


def cpu_name() -> str:
    """Return the CPU's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
