"""Find why a worker died, from the output of systems and libraries and from its exit code."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..messages import Message, codes, msg, template
from ..pipeline.hardware import container

PREFIX = "Likely cause: "

SETUP = msg("run the launcher's setup again (launch.sh setup or launch.ps1 setup)")

MISSING_PACKAGE = template("the package '{name}' is not installed; {setup}.")
UNFIT_PACKAGES = template("packages that do not fit together ('{name}'); {setup}.")
MISSING_RUNTIME = template(
    "a system library is missing or too old; install the newest Microsoft Visual C++ runtime: "
    "winget install Microsoft.VCRedist.2015+.x64, or https://aka.ms/vs/17/release/vc_redist.x64.exe"
)
MISSING_LIBRARY = template("the system library lib{name} is missing; install it.")
OLD_DRIVER = template("the NVIDIA driver is too old for torch; update it.")
FULL_DISK = template("the disk is full; free some space.")
LITTLE_MEMORY = template("not enough memory; close other programs.")
DAMAGED_PACKAGE = template("the package '{name}' is damaged or does not fit; {setup}, if need be with --repair.")
OLD_PROCESSOR = template("the processor lacks an instruction that torch needs.")
KILLED = template("the system killed it, usually because memory was full; or a person did.")
STALLED = template("it made no progress any more and was stopped; its job goes on in the next one.")
LIBRARY_CRASH = template("a library crashed; updating the GPU driver often helps.")

Patterns = tuple[tuple[str, str], ...]

ANY_TIME: Patterns = (
    (r"CUDA driver version is insufficient", OLD_DRIVER),
    (r"No space left on device|disk is full", FULL_DISK),
    (r"MemoryError|out of memory|bad_alloc", LITTLE_MEMORY),
)
STARTING: Patterns = (
    (r"No module named '(?P<name>[^']+)'", MISSING_PACKAGE),
    (r"cannot import name '(?P<name>[^']+)'", UNFIT_PACKAGES),
    (r"DLL load failed|WinError 126\b|Visual C\+\+ Redistributable|or one of its dependencies", MISSING_RUNTIME),
    (r"lib(?P<name>\S+)\.so\S*: cannot open shared object", MISSING_LIBRARY),
    *ANY_TIME,
    (r"Traceback(?s:.*)site-packages[\\/](?P<name>\w+)", DAMAGED_PACKAGE),
)
"""For a worker that has not started a job. Later the same lines may come from a failed job that it survived."""

CODES = {-4: OLD_PROCESSOR, -9: KILLED, -11: LIBRARY_CRASH}
"""Cause by the (negated) signal that ended a process."""
WINDOWS_CODES = {
    0xC0000005: LIBRARY_CRASH,  # access violation
    0xC000001D: OLD_PROCESSOR,  # illegal instruction
    0xC0000374: LIBRARY_CRASH,  # heap corruption
    0xC0000409: LIBRARY_CRASH,  # stack buffer overrun, also abort()
    0xC0000017: LITTLE_MEMORY,  # no memory
    0xC000012D: LITTLE_MEMORY,  # commitment limit
    0xC0000135: MISSING_RUNTIME,  # DLL not found
    0xC0000142: MISSING_RUNTIME,  # DLL initialisation failed
    0xC000013A: KILLED,  # its window was closed
}
"""Cause by the NTSTATUS code of an ended process; some tools show it as a signed number.

Source: Microsoft, "NTSTATUS values".
"""

EXIT = "(the worker ended with code {})"
"""Last line of a dead worker's output, written by its supervisor."""


def find_cause(output: str, code: int, stalled: bool = False, working: bool = False) -> Message | None:
    """Find the likely cause of a worker's death. A known exit code counts before output.

    Args:
        output: the last lines that the worker wrote; if it has taken jobs, only those since the last one, for it
            survived the earlier ones.
        code: its exit code, negative for a signal.
        stalled: the supervisor ended it, because it made no progress.
        working: it has taken a job, so its parts were loaded.

    Returns:
        None if no cause is known.
    """
    if stalled:
        return Message(STALLED)
    if known := CODES.get(code, WINDOWS_CODES.get(code % (1 << 32), "")):
        return Message(known)
    for pattern, known in ANY_TIME if working else STARTING:
        if found := re.search(pattern, output):
            cause = Message(known, {"setup": SETUP, **found.groupdict()})
            return cause.coded(codes.PACKAGE_MISSING) if known == MISSING_PACKAGE else cause
    return None


LOW_MEMORY = 0.05
"""Share of free RAM. With less, a SIGKILL is attributed to the system's out-of-memory killer."""


@dataclass(frozen=True)
class Death:
    """How a worker ended while it ran a job.

    Attributes:
        code: of the fault.
        values: of the fault's text.
    """

    code: str = codes.WORKER_ENDED
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def of_memory(self) -> bool:
        """Tell whether the system killed the worker because memory ran out."""
        return self.code == codes.KILLED_FOR_MEMORY

    def failure(self, attempts: int, stage: str, lines: str) -> Message:
        """Make the message of a job that fails after several deaths of its workers.

        Args:
            attempts: how many workers were lost at one place.
            stage: the job's, "" before its first.
            lines: the last lines that its worker wrote, "" if unknown.
        """
        values = {**self.values, "attempts": attempts, "stage": stage or "starting"}
        what, code = Message(DIED, values), codes.WORKER_DIED
        if self.of_memory:
            what, code = Message(KILLED_FOR_MEMORY, {"free": "little", **values}), self.code
        elif self.code == codes.NO_PROGRESS:
            what, code = Message(NO_PROGRESS, {"seconds": 0, **values}), self.code
        said = {"what": what, "lines": lines, "how": lines.splitlines()[-1] if lines else ""}
        return Message(WITH_LINES if lines else RETRY, {**values, **said}, code)


DIED = template("the worker died {attempts} times at stage {stage}, without progress in between")
KILLED_FOR_MEMORY = template(
    "the worker was killed by the system, whose memory had run out, {attempts} times at stage {stage} "
    "({free} were free)"
)
NO_PROGRESS = template("the worker made no progress for {seconds:.0f} s, {attempts} times at stage {stage}")
RETRY = template("{what}. Retry, with a smaller resolution if that does not help")
WITH_LINES = template(
    "{what}. Retry, with a smaller resolution if that does not help; the last lines of the worker:\n{lines}"
)


class CrashObserver:
    """Observe a machine's memory while a worker lives, to explain its death. Call `look` every second or so.

    Args:
        kills: counts the out-of-memory kills so far; by default those of this container.
    """

    def __init__(self, kills: Callable[[], int] | None = None) -> None:
        self._kills = kills or container.oom_kills
        self._before = self._kills()
        self._free, self._total = 0, 0
        self.stalled = 0.0
        """Seconds without progress after which the supervisor ended the worker; 0 if it did not."""
        self.look()

    def look(self) -> None:
        """Measure the free memory."""
        memory = container.memory()
        self._free, self._total = memory.available, memory.total

    def death(self, code: int) -> Death:
        """Explain the worker's death. code: the exit code, negative for a signal."""
        if self.stalled:
            return Death(codes.NO_PROGRESS, {"seconds": self.stalled})
        low = self._free < LOW_MEMORY * self._total
        if code == -9 and (low or self._kills() > self._before):
            return Death(codes.KILLED_FOR_MEMORY, {"free": f"{self._free / 2**30:.1f} GB"})
        return Death(values={"how": f"code {code}"})
