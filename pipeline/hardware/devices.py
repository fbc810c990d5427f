"""Describe this machine's devices for the memory planner. Never raises, never imports torch."""

import logging
import sys
from dataclasses import dataclass, replace
from typing import Any

import psutil

from . import container
from .compiler import lacking
from .cpu import cpu_bf16, cpu_flags
from .gpus import Gpus, GpuWatch
from .machine import Machine, with_speeds
from .torch_build import TorchBuild, torch_build
from .units import CONTEXT, GIB

log = logging.getLogger(__name__)

TENSOR_RATE = {7.0: 16, 7.5: 8, 8.0: 32, 8.6: 4, 8.7: 4, 8.9: 4, 9.0: 32, 10.0: 56, 12.0: 4}
"""16-bit multiply-adds with 32-bit sums, in operations per CUDA core and clock, by compute capability: the vendor's
data sheets (dense TFLOP/s) over cores times boost clock. Older ones: 2, the plain 32-bit rate."""
REACHED = {32: 0.25, 56: 0.18}
"""Share of that rate a plain fp16 SVD reaches: 246 of 1070 TFLOP/s on an H100 (0.651 s a step of 160 TFLOP), 96 of 312
on an A800 (1.65 s, measured elsewhere); less wide GPUs wait less for their memory."""
REACHED_ELSE = 0.4

CPU_SPEED = {"bf16": 0.175, "avx512": 0.08, "else": 0.04}
"""10¹² operations a second and core; bf16 and avx512 measured on two cores of a server CPU, the last one half of it."""
CPU_CORES_USED = 16
"""Beyond these, a CPU waits for its memory."""


@dataclass(frozen=True)
class Cuda:
    """What torch reports about its GPU.

    Attributes:
        works: torch can compute on it.
        free: Free bytes of video memory.
        held: Bytes of video memory held by this process.
        uuid: As NVML writes it; "" if torch does not report it.
    """

    works: bool
    free: int = 0
    held: int = 0
    uuid: str = ""

    @classmethod
    def here(cls) -> "Cuda | None":
        """Query torch; None if this process has not imported it."""
        torch: Any = sys.modules.get("torch")
        if torch is None:
            return None
        try:
            if not torch.cuda.is_available():
                return cls(False)
            free, _ = torch.cuda.mem_get_info()
            # CUDA's context stays with the process; the estimates count it as needed.
            return cls(True, free, torch.cuda.memory_reserved() + CONTEXT, _uuid(torch))
        except Exception as e:  # a driver that answers NVML and fails torch: the processor is there
            log.warning("The graphics card cannot be used: %s", e)
            return cls(False)


def machine(
    watch: GpuWatch | None = None,
    *,
    speeds: dict[str, float] | None = None,
    own: frozenset[int] = frozenset(),
    build: TorchBuild | None = None,
    large: bool = True,
    cuda: "Cuda | None" = None,
    held: int = 0,
) -> Machine:
    """Describe this machine for the memory planner.

    Args:
        watch: Measures the GPUs.
        speeds: Measured speeds of `large` models (`measurements.Record.speeds`).
        own: Ids of processes whose memory counts as free: the worker that caches the model.
        build: The installed torch.
        large: The model is of full size.
        cuda: What torch reports, if it is loaded; more reliable than the driver.
        held: Bytes of video memory that the worker reports as its own: for drivers that do not report processes
            (Windows), and for containers, in which the worker has another process id.
    """
    watch, build, speeds = watch or GpuWatch(), build or torch_build(), speeds or {}
    sharers = container.sharers()
    memory, cores = container.memory(), max(1, container.cpus() // sharers)
    ram_total, ram_free = memory.total // sharers, memory.available + sum(map(_resident, own))
    bf16 = cpu_bf16()
    found = Machine(
        ram_total=ram_total,
        ram_free=min(ram_total, ram_free),
        cpu_bf16=bf16,
        cpu_half=bf16 or "avx512f" in cpu_flags(),
        cores=cores,
        cpu_speed=CPU_SPEED["bf16" if bf16 else "avx512" if "avx512f" in cpu_flags() else "else"]
        * min(cores, CPU_CORES_USED),
        reserve=7 * GIB // 10 if sys.platform == "win32" else 4 * GIB // 10,
    )
    gpus = watch.describe()
    works = usable(gpus, build) and (cuda is None or cuda.works)
    sample = watch.sample(cuda.uuid if cuda else "") if works else None
    values: dict[str, Any] = {}
    if sample is not None:
        mine = max(held, sum(process.memory for process in sample.processes if process.pid in own))
        free = cuda.free + cuda.held if cuda else sample.memory_free + mine
        values = {
            "device": "cuda",
            "name": sample.name,
            "vram_total": sample.memory_total,
            "vram_free": min(sample.memory_total, free),
            "gpu_speed": gpu_speed(gpus),
            "compiles": not lacking(gpus),
        }
    return with_speeds(replace(found, **values), speeds, large)


def usable(gpus: Gpus, build: TorchBuild) -> bool:
    """Tell whether the installed torch can compute on this GPU."""
    if gpus.kind == "nvidia":
        return build.cuda is not None and (not gpus.cuda[0] or gpus.cuda[0] >= build.cuda[0])
    return gpus.kind == "amd" and build.hip


def gpu_speed(gpus: Gpus) -> float:
    """Estimate the speed of an unmeasured GPU, 10¹² operations per second; 5 if its core count is unknown."""
    if not gpus.cores or not gpus.clock_mhz:
        return 5.0
    rates = [rate for capability, rate in TENSOR_RATE.items() if capability <= gpus.capability]
    rate = rates[-1] if rates else 2
    return gpus.cores * gpus.clock_mhz * 1e6 * rate / 1e12 * REACHED.get(rate, REACHED_ELSE)


def _uuid(torch: Any) -> str:
    """Return the UUID of torch's GPU as NVML writes it; "" where torch is too old to tell."""
    try:
        return f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    except Exception:
        return ""


def _resident(pid: int) -> int:
    """Return the resident bytes of a process; 0 if it is gone."""
    try:
        return psutil.Process(pid).memory_info().rss
    except Exception:  # psutil.Error, OSError
        return 0
