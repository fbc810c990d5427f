"""Why a worker died, in one sentence, from its last lines and its exit code; "" when there is nothing better to say."""

import re

PREFIX = "Likely cause: "
INSTALL = "run the launcher's `setup` again (launch.sh setup or launch.ps1 setup)"

PATTERNS: tuple[tuple[str, str], ...] = (
    (r"No module named '([^']+)'", "the package {0!r} is not installed; " + INSTALL + "."),
    (r"cannot import name '([^']+)'", "packages that do not fit together ({0!r}); " + INSTALL + "."),
    (r"DLL load failed", "a system library is missing; install the Microsoft Visual C++ runtime."),
    (r"lib(\S+)\.so\S*: cannot open shared object", "the system library lib{0} is missing; install it."),
    (r"CUDA driver version is insufficient", "the NVIDIA driver is too old for torch; update it."),
    (r"No space left on device|disk is full", "the disk is full; free some space."),
    (r"MemoryError|out of memory|bad_alloc", "not enough memory; close other programs."),
)

CODES = {
    -4: "the processor lacks an instruction that torch needs.",
    -9: "the system killed it, most often because the memory was full; or somebody did.",
    -11: "a library crashed (segmentation fault); updating the GPU driver often helps.",
    0xC0000005 - (1 << 32): "a library crashed (access violation); updating the GPU driver often helps.",
}


def likely_cause(output: str, code: int = 0) -> str:
    """code: the exit code, negative for a signal."""
    cause = _cause(output, code)
    return f"{PREFIX}{cause}" if cause else ""


def _cause(output: str, code: int) -> str:
    for pattern, text in PATTERNS:
        if found := re.search(pattern, output):
            return text.format(*found.groups())
    if "Traceback" in output and (found := re.search(r"site-packages[\\/](\w+)", output)):
        return f"the package {found.group(1)!r} is damaged or does not fit; {INSTALL}."
    return CODES.get(code, CODES.get(code - (1 << 32), ""))
