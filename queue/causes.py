"""Why a worker died, in one sentence, from its last lines and its exit code; "" when there is nothing better to say."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

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


LOW_MEMORY = 0.05
"""Share of the RAM that is free; with less, a SIGKILL is taken for the system's own."""


@dataclass(frozen=True)
class Death:
    """How a worker ended under its job. code: the fault's. values: for the fault's text."""

    code: str = "FM-WORKER-009"
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def of_memory(self) -> bool:
        return self.code == "FM-WORKER-005"

    def sentence(self, losses: int, where: str) -> str:
        """What a job is told that fails after so many of them. `doctor.diagnosis` reads it."""
        if self.of_memory:
            what = "was killed by the system, whose memory had run out"
            return f"the worker {what}, {losses} times at {where} ({self.values.get('free', 'little')} were free)"
        if self.code == "FM-WORKER-003":
            return f"the worker made no progress for {self.values.get('seconds', 0):.0f} s, {losses} times at {where}"
        return f"the worker died {losses} times at {where}, without progress in between"


class Autopsy:
    """Looks at a living worker's machine, so that its death can be explained. `look` it often."""

    def __init__(self, kills: Callable[[], int] | None = None) -> None:
        self._kills = kills or oom_kills
        self._before = self._kills()
        self._free, self._total = 0, 0
        self.stalled = 0.0
        """Seconds without progress, when the watchdog ends it for that."""
        self.look()

    def look(self) -> None:
        memory = psutil.virtual_memory()
        self._free, self._total = memory.available, memory.total

    def death(self, code: int) -> Death:
        """code: the exit code, negative for a signal."""
        if self.stalled:
            return Death("FM-WORKER-003", {"seconds": self.stalled})
        low = self._free < LOW_MEMORY * self._total
        if code == -9 and (low or self._kills() > self._before):
            return Death("FM-WORKER-005", {"free": f"{self._free / 2**30:.1f} GB"})
        return Death(values={"how": f"code {code}"})


def oom_kills() -> int:
    """How many processes Linux has killed for want of memory since it started; 0 on other systems."""
    count = 0
    for path in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"):
        with suppress(OSError, ValueError):
            found = re.search(r"^oom_kill (\d+)$", Path(path).read_text(encoding="ascii"), re.MULTILINE)
            count += int(found[1]) if found else 0
    return count
