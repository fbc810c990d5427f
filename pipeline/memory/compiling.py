"""Decide whether a job's model is compiled for its GPU, from the cost of compiling and the time lost without it.

Compiling pays only after a number of videos, and how many will follow is unknown. So a model is compiled once the
videos without it have lost as much time as compiling takes. Whatever follows, the total is at most twice the optimum
("ski rental"). Without torch.
"""

from collections.abc import Iterable
from dataclasses import replace

import psutil

from ...process_start import start_time
from ..families import family
from ..families.base import MemoryPlan, Offload
from ..families.forecast import COMPILED_STEP, windows
from ..hardware.machine import device_key
from ..hardware.measurements import Compiling, Measurements, Record
from ..hardware.torch_build import torch_build

FIRST_SECONDS = 120.0
"""Seconds that compiling takes before it was measured: denoiser and decoder of SVD-XT on an H100 (bench/RESULTS.md).
Most of it is Python's work, so that it hardly depends on the card."""
LATER_SHARE = 0.5
"""What a later process takes of the first one's time, before that was measured: its kernels are on the disk."""
PROCESSES = 8
"""Process names kept of what they have compiled."""


def settle_compiling(plan: MemoryPlan, setting: str, known: Record, pids: Iterable[int]) -> MemoryPlan:
    """Decide whether a new job is compiled, and return its plan with the decision.

    Args:
        plan: The plan.
        setting: `Settings.compile`.
        known: The measurements.
        pids: Ids of the processes that may run the job: one worker's, or those of all living workers.
    """
    if not _is_able(plan):
        return replace(plan, compiled=False, compiling=0.0)
    entry = known.compiling.get(key(plan)) or Compiling()
    is_compiled = bool(entry.processes) and not {process_name(pid) for pid in pids}.isdisjoint(entry.processes)
    seconds = 0.0 if is_compiled else _seconds(entry)
    pays = is_compiled or entry.lost > seconds * 2**entry.failures or (setting == "always" and not entry.failures)
    return replace(plan, compiled=setting != "never" and pays, compiling=seconds)


def compiled_if_able(plan: MemoryPlan) -> MemoryPlan:
    """Return a plan with `compiled` cleared if the plan cannot be compiled."""
    return plan if not plan.compiled or _is_able(plan) else replace(plan, compiled=False)


def record_lost(store: Measurements, plan: MemoryPlan, sampling_seconds: float) -> None:
    """Add the time that a video lost because it was sampled without compiling."""
    if plan.compiled or not _is_able(plan):
        return

    def act(known: Record) -> None:
        known.compiled(key(plan)).lost += sampling_seconds * (1 - COMPILED_STEP)

    store.change(act)


def record_compiled(store: Measurements, plan: MemoryPlan, seconds: float) -> None:
    """Record that this process has compiled the model, and how long it took."""
    own = process_name()

    def act(known: Record) -> None:
        entry = known.compiled(key(plan))
        if own not in entry.processes:
            if entry.first:
                entry.later = seconds
            else:
                entry.first = seconds
        entry.lost, entry.failures = 0.0, 0
        entry.processes = [*(name for name in entry.processes if name != own), own][-PROCESSES:]

    store.change(act)


def record_failure(store: Measurements, plan: MemoryPlan) -> None:
    """Record a failure: compiling is tried again after twice the lost time."""

    def act(known: Record) -> None:
        entry = known.compiled(key(plan))
        entry.lost, entry.failures = 0.0, min(entry.failures + 1, 16)

    store.change(act)


def key(plan: MemoryPlan) -> str:
    """Return the key under which compiled kernels are shared: one model, one size, one version of torch."""
    device = device_key(plan.device, plan.machine.name, plan.machine.host)
    size = f"{plan.width}x{plan.height}x{windows(plan).frames}"
    together = plan.guided and not plan.two_pass
    branches = "2" if together else "1"
    if together and plan.work.effort.guidance_above > 0:
        branches = "2, 1"
    return f"{device}|{plan.model.name}|{plan.dtype}|{size}|{branches}|torch {torch_build().version}"


def process_name(pid: int | None = None) -> str:
    """Return a name that no later process gets; "" for a process that is gone. None = this process."""
    try:
        process = psutil.Process(pid)
        start = start_time(process)
    except (psutil.Error, OSError):
        return ""
    return f"{process.pid} {start.seconds:.0f} {start.boot}".rstrip()


def _is_able(plan: MemoryPlan) -> bool:
    """Tell whether a plan can be compiled: not with offload hooks, nor with chunked layers."""
    here = plan.machine.compiles and plan.device == plan.machine.device
    whole = plan.offload is Offload.NONE and not plan.chunked
    return here and whole and bool(family(plan.model.family).blocks)


def _seconds(entry: Compiling) -> float:
    """Return the seconds of compiling in a process that has not done it: measured, else estimated."""
    return entry.later or entry.first * LATER_SHARE or FIRST_SECONDS
