"""Read what control groups leave of the machine: memory limits (v1, v2, nested) and CPU quotas. Never raises.

Containers, systemd services and batch systems limit processes by Linux control groups. `/proc/meminfo`, and so psutil,
still shows the whole machine, and a process that plans for all of it is killed. Sources: the kernel's
Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

PROC = Path("/proc/self")
SHARERS = "FANSLYMOTION_SHARERS"
"""Variable of a worker's process, set by its supervisor: how many workers share this machine's processors and RAM."""
UNLIMITED = 2**60
"""Bytes. Version 1 writes the largest number that it can hold where there is no limit."""


@dataclass(frozen=True)
class Memory:
    """RAM for this process and its children.

    Attributes:
        total: Bytes.
        available: Bytes.
        limited: A control group allows less than the machine has.
    """

    total: int
    available: int
    limited: bool = False


@dataclass(frozen=True)
class _Group:
    """The folders of one controller's hierarchy, from this process's group up to the mount point."""

    version: int
    folders: tuple[Path, ...]


def memory(proc: Path = PROC) -> Memory:
    """Return the RAM of the machine, or of the tightest control group around this process."""
    machine = psutil.virtual_memory()
    total, available, limited = machine.total, machine.available, False
    for limit, used in _limits(proc):
        if limit < machine.total:
            total, limited = min(total, limit), True
            available = min(available, max(0, limit - used))
    return Memory(total, available, limited)


def cpus(proc: Path = PROC) -> int:
    """Return how many CPUs this process may use, 1 or more, by affinity and quota."""
    count = float(psutil.cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):
        count = min(count, len(os.sched_getaffinity(0)))
    for group in _groups("cpu", proc):
        for folder in group.folders:
            if group.version == 2:
                quota, _, period = _text(folder / "cpu.max").partition(" ")
            else:
                quota, period = (_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
            if quota.isdecimal() and period.isdecimal() and int(period):
                count = min(count, int(quota) / int(period))
    return max(1, math.ceil(count))


def sharers() -> int:
    """Return how many workers, including this process, share this machine's CPUs and RAM."""
    count = os.environ.get(SHARERS, "")
    return max(1, int(count)) if count.isdecimal() else 1


def thread_limit(environ: Mapping[str, str] = os.environ, workers: int = 1) -> dict[str, str]:
    """Return environment variables that limit the threads of a child process. torch respects affinity, but not quotas.

    Args:
        environ: The child's environment so far; a thread count that the user has set wins.
        workers: Number of such children that share the CPUs.
    """
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    may = max(1, cpus() // workers)
    names = ["OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"] if workers > 1 else ["OMP_NUM_THREADS"]
    return {name: str(may) for name in names if may < seen and name not in environ}


def oom_kills(proc: Path = PROC) -> int:
    """Return how many processes Linux has killed for lack of memory: machine and control groups together."""
    files = [Path("/proc/vmstat")]
    for group in _groups("memory", proc):
        names = ("memory.events",) if group.version == 2 else ("memory.oom_control",)
        files += [folder / name for folder in group.folders for name in names]
    found = (re.search(r"^oom_kill (\d+)$", _text(path), re.MULTILINE) for path in files)
    return sum(int(match[1]) for match in found if match)


def _limits(proc: Path) -> Iterator[tuple[int, int]]:
    """Yield (limit, bytes in use that cannot be reclaimed) of each group that has a limit."""
    for group in _groups("memory", proc):
        new = group.version == 2
        limits = ("memory.max", "memory.high") if new else ("memory.limit_in_bytes",)
        usage, cached = ("memory.current", "inactive_file") if new else ("memory.usage_in_bytes", "total_inactive_file")
        for folder in group.folders:
            numbers = [int(text) for name in limits if (text := _text(folder / name)).isdecimal()]
            if numbers and min(numbers) < UNLIMITED:
                used = _text(folder / usage)
                found = re.search(rf"^{cached} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
                cache = int(found[1]) if found else 0
                yield min(numbers), max(0, (int(used) if used.isdecimal() else 0) - cache)


def _groups(controller: str, proc: Path) -> list[_Group]:
    """Return the hierarchies that may limit `controller`: version 2, version 1, or both if both are mounted."""
    paths = {}
    for line in _text(proc / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            paths[2] = path
        elif controller in names.split(","):
            paths[1] = path
    found = []
    for line in _text(proc / "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        version = 2 if kind[0] == "cgroup2" else 1 if kind[0] == "cgroup" and controller in kind[2].split(",") else 0
        if version in paths:
            found.append(_Group(version, _folders(Path(fields[4]), fields[3], paths[version])))
    return found


def _folders(mount: Path, root: str, path: str) -> tuple[Path, ...]:
    """Return the folders from the group's own up to the mount point. root: the mounted part of the hierarchy."""
    inside = path[len(root.rstrip("/")) :] if path == root or path.startswith(root.rstrip("/") + "/") else ""
    parts = [part for part in inside.split("/") if part and part != ".."]
    return tuple(mount.joinpath(*parts[:count]) for count in range(len(parts), -1, -1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
