"""Why a worker died, in one sentence, from its last lines and its exit code; "" when there is nothing better to say."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..pipeline import container
from .log import STARTS

PREFIX = "Likely cause: "
INSTALL = "run the launcher's setup again (launch.sh setup or launch.ps1 setup)"

TEXTS = {
    "missing_package": f"the package '{{name}}' is not installed; {INSTALL}.",
    "unfit_packages": f"packages that do not fit together ('{{name}}'); {INSTALL}.",
    "missing_runtime": "a system library is missing; install the Microsoft Visual C++ runtime: "
    "winget install Microsoft.VCRedist.2015+.x64, or https://aka.ms/vs/17/release/vc_redist.x64.exe",
    "missing_library": "the system library lib{name} is missing; install it.",
    "old_driver": "the NVIDIA driver is too old for torch; update it.",
    "full_disk": "the disk is full; free some space.",
    "little_memory": "not enough memory; close other programs.",
    "damaged_package": f"the package '{{name}}' is damaged or does not fit; {INSTALL}, if need be with --repair.",
    "old_processor": "the processor lacks an instruction that torch needs.",
    "killed": "the system killed it, most often because the memory was full; or somebody did.",
    "stalled": "it made no progress any more and was stopped; its job goes on in the next one.",
    "library_crash": "a library crashed; updating the GPU driver often helps.",
}
"""In English, for the log; the page and its languages: section `causes` of the doctor's catalogue."""

Patterns = tuple[tuple[str, str], ...]

ANY_TIME: Patterns = (
    (r"CUDA driver version is insufficient", "old_driver"),
    (r"No space left on device|disk is full", "full_disk"),
    (r"MemoryError|out of memory|bad_alloc", "little_memory"),
)
STARTING: Patterns = (
    (r"No module named '(?P<name>[^']+)'", "missing_package"),
    (r"cannot import name '(?P<name>[^']+)'", "unfit_packages"),
    (r"DLL load failed|WinError 126\b|Visual C\+\+ Redistributable|or one of its dependencies", "missing_runtime"),
    (r"lib(?P<name>\S+)\.so\S*: cannot open shared object", "missing_library"),
    *ANY_TIME,
    (r"Traceback(?s:.*)site-packages[\\/](?P<name>\w+)", "damaged_package"),
)
"""Of a worker that has not begun a job. Later the same words are those of a job that failed, and it lived on."""

CODES = {-4: "old_processor", -9: "killed", -11: "library_crash"}
"""What a signal that ended a process says of the cause."""
WINDOWS_CODES = {
    0xC0000005: "library_crash",  # access violation
    0xC000001D: "old_processor",  # illegal instruction
    0xC0000374: "library_crash",  # heap corruption
    0xC0000409: "library_crash",  # stack buffer overrun, also abort()
    0xC0000017: "little_memory",  # no memory
    0xC000012D: "little_memory",  # commitment limit
    0xC0000135: "missing_runtime",  # DLL not found
    0xC0000142: "missing_runtime",  # DLL initialisation failed
    0xC000013A: "killed",  # its window was closed
}
"""NTSTATUS codes of ended processes (Microsoft, "NTSTATUS values"); some tools show them as signed numbers."""

EXIT = "(the worker ended with code {})"
"""A dead worker's last line, written by its supervisor."""

STALLED = "FM-WORKER-003"
"""Stands in the line that the supervisor writes before it ends a worker without progress."""


def likely_cause(output: str, code: int = 0) -> str:
    """code: the exit code, negative for a signal."""
    key, values = find_cause(output, code)
    return f"{PREFIX}{TEXTS[key].format(**values)}" if key else ""


def find_cause(output: str, code: int | None = None) -> tuple[str, dict[str, str]]:
    """A key of TEXTS, "" when there is none, and its values. code: by default the one that stands in the output.

    A code that tells goes before words, and of those only the last job's count: earlier ones were lived through.
    """
    if code is None:
        ended = re.search(EXIT.replace("(", r"\(").replace(")", r"\)").format(r"(-?\d+)"), output)
        code = int(ended[1]) if ended else 0
    if STALLED in output:
        return "stalled", {}
    if key := CODES.get(code, WINDOWS_CODES.get(code % (1 << 32), "")):
        return key, {}
    _, begun, last = output.rpartition(STARTS)
    for pattern, key in ANY_TIME if begun else STARTING:
        if found := re.search(pattern, last):
            return key, found.groupdict()
    return "", {}


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
        if self.code == STALLED:
            return f"the worker made no progress for {self.values.get('seconds', 0):.0f} s, {losses} times at {where}"
        return f"the worker died {losses} times at {where}, without progress in between"


class Autopsy:
    """Looks at a living worker's machine, so that its death can be explained. `look` it often."""

    def __init__(self, kills: Callable[[], int] | None = None) -> None:
        self._kills = kills or container.oom_kills
        self._before = self._kills()
        self._free, self._total = 0, 0
        self.stalled = 0.0
        """Seconds without progress, when the watchdog ends it for that."""
        self.look()

    def look(self) -> None:
        memory = container.memory()
        self._free, self._total = memory.available, memory.total

    def death(self, code: int) -> Death:
        """code: the exit code, negative for a signal."""
        if self.stalled:
            return Death(STALLED, {"seconds": self.stalled})
        low = self._free < LOW_MEMORY * self._total
        if code == -9 and (low or self._kills() > self._before):
            return Death("FM-WORKER-005", {"free": f"{self._free / 2**30:.1f} GB"})
        return Death(values={"how": f"code {code}"})
