"""What this machine computes with, and what its GPU is doing right now. Never raises, never imports torch.

NVIDIA through NVML (nvidia-ml-py), AMD on Linux through sysfs; Apple and everything else is said to be what it is.
"""

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from . import container
from .cpu import cpu_bf16, cpu_flags
from .machine import Machine, speed_key
from .torch_build import TorchBuild, torch_build
from .units import CONTEXT, GIB

log = logging.getLogger(__name__)

MIB = 2**20
NVML_DELAY = 30.0
"""Seconds until a missing or broken driver is asked again (it may be installed while the page is open)."""

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
class GpuProcess:
    """A program that holds video memory. memory: bytes, 0 if the driver does not report it (Windows)."""

    pid: int
    name: str
    memory: int


@dataclass(frozen=True)
class GpuSample:
    """One measurement of one GPU. None means unknown.

    Attributes:
        time: Unix seconds.
        index: NVML's, which differs from torch's.
        name: of the GPU.
        load: 0 to 100 %.
        memory_used: bytes.
        memory_total: bytes.
        temperature: °C.
        processes: the programs that hold memory of it, the largest share first.
        speed: compute capability, then cores times clock; CUDA orders the GPUs by it, the fastest first.
    """

    time: float
    index: int
    name: str
    load: float | None
    memory_used: int
    memory_total: int
    temperature: float | None
    processes: tuple[GpuProcess, ...] = ()
    uuid: str = ""
    speed: float = 0.0

    @property
    def memory_free(self) -> int:
        """Return the free video memory in bytes."""
        return max(0, self.memory_total - self.memory_used)


@dataclass(frozen=True)
class Gpus:
    """What there is. kind: `nvidia`, `amd`, `apple`, `other` or `none`. note: a sentence when it cannot be watched.

    driver: its version, cuda: the newest CUDA it supports, as (major, minor); capability, cores, clock_mhz: of the GPU
    that torch computes on.
    """

    kind: str
    names: tuple[str, ...] = ()
    driver: str = ""
    cuda: tuple[int, int] = (0, 0)
    capability: float = 0.0
    cores: int = 0
    clock_mhz: int = 0
    note: str = ""


class GpuWatch:
    """Measure the GPUs. Cheap to keep, thread-safe; no method raises.

    Args:
        lib: NVML's Python binding.
        sysfs: the folder in which Linux shows its graphics cards.
        now: returns Unix seconds.
    """

    def __init__(self, lib: Any = None, sysfs: Path = Path("/sys/class/drm"), now: Callable[[], float] = time.time):
        self._lib = lib
        self._sysfs = sysfs
        self._now = now
        self._lock = threading.Lock()
        self._ready = False
        self._asked = -NVML_DELAY
        self._note = ""

    def describe(self) -> Gpus:
        """Describe the GPU of this machine."""
        lib = self._nvml()
        if lib is not None:
            try:
                return self._nvidia(lib)
            except Exception as e:  # NVMLError and, on half-installed drivers, errors of ctypes
                self._lost(e)
        if cards := self._amd_cards():
            return Gpus("amd", tuple(_amd_name(card) for card in cards))
        if sys.platform == "darwin" and platform.machine() == "arm64":
            return Gpus("apple", ("Apple GPU",), note="the GPU of Apple computers cannot be watched")
        return Gpus("none", note=self._note or "no GPU that could be watched was found")

    def samples(self) -> list[GpuSample]:
        """Return a sample of each GPU, [] if none can be measured. Takes about a millisecond."""
        lib = self._nvml()
        if lib is not None:
            try:
                handles = [lib.nvmlDeviceGetHandleByIndex(i) for i in range(lib.nvmlDeviceGetCount())]
                return [self._sample(lib, i, handle) for i, handle in enumerate(handles)]
            except Exception as e:
                self._lost(e)
        return [self._amd_sample(i, card) for i, card in enumerate(self._amd_cards())]

    def sample(self, card: str = "") -> GpuSample | None:
        """Return a sample of the GPU that torch computes on, or None.

        Args:
            card: its UUID if torch has reported it; else the GPU is inferred.
        """
        found = self.samples()
        return chosen(found, card, os.environ) if found else None

    # NVIDIA

    def _nvml(self) -> Any:
        with self._lock:
            if self._ready:
                return self._lib
            if time.monotonic() - self._asked < NVML_DELAY:
                return None
            self._asked = time.monotonic()
            try:
                if self._lib is None:
                    import pynvml  # pyright: ignore[reportMissingImports] - of nvidia-ml-py

                    self._lib = pynvml
                self._lib.nvmlInit()
            except Exception as e:  # ImportError, NVMLError_LibraryNotFound, NVMLError_DriverNotLoaded, OSError …
                self._note = f"no NVIDIA driver answers ({e})"
                return None
            self._ready = True
            return self._lib

    def _lost(self, error: Exception) -> None:
        """Ask again later: the driver was updated, or the GPU was disconnected."""
        log.debug("NVML: %s", error)
        with self._lock:
            self._ready, self._asked, self._note = False, time.monotonic(), f"the NVIDIA driver answers: {error}"

    def _nvidia(self, lib: Any) -> Gpus:
        count = lib.nvmlDeviceGetCount()
        handles = [lib.nvmlDeviceGetHandleByIndex(i) for i in range(count)]
        if not handles:
            return Gpus("none", note="the NVIDIA driver finds no GPU")
        cuda = lib.nvmlSystemGetCudaDriverVersion()
        used = self.sample()
        first = handles[used.index if used else 0]
        major, minor = _try(lambda: lib.nvmlDeviceGetCudaComputeCapability(first), (0, 0))
        return Gpus(
            "nvidia",
            tuple(_text(lib.nvmlDeviceGetName(handle)) for handle in handles),
            driver=_text(lib.nvmlSystemGetDriverVersion()),
            cuda=(cuda // 1000, cuda % 1000 // 10),
            capability=major + minor / 10,
            cores=_try(lambda: lib.nvmlDeviceGetNumGpuCores(first), 0),
            clock_mhz=_try(lambda: lib.nvmlDeviceGetMaxClockInfo(first, lib.NVML_CLOCK_SM), 0),
        )

    def _sample(self, lib: Any, index: int, handle: Any) -> GpuSample:
        memory = lib.nvmlDeviceGetMemoryInfo(handle)
        return GpuSample(
            self._now(),
            index,
            _text(lib.nvmlDeviceGetName(handle)),
            _try(lambda: float(lib.nvmlDeviceGetUtilizationRates(handle).gpu), None),
            int(memory.used),
            int(memory.total),
            _try(lambda: float(lib.nvmlDeviceGetTemperature(handle, lib.NVML_TEMPERATURE_GPU)), None),
            _processes(lib, handle),
            _text(_try(lambda: lib.nvmlDeviceGetUUID(handle), "")),
            _speed(lib, handle),
        )

    # AMD on Linux

    def _amd_cards(self) -> list[Path]:
        try:
            cards = sorted(self._sysfs.glob("card?/device/mem_info_vram_total"))
        except OSError:
            return []
        return [path.parent for path in cards if (_number(path) or 0) >= GIB]  # no integrated ones

    def _amd_sample(self, index: int, card: Path) -> GpuSample:
        temperature = next((_number(p) for p in sorted(card.glob("hwmon/hwmon*/temp1_input"))), None)
        load = _number(card / "gpu_busy_percent")
        return GpuSample(
            self._now(),
            index,
            _amd_name(card),
            None if load is None else float(load),
            _number(card / "mem_info_vram_used") or 0,
            _number(card / "mem_info_vram_total") or 0,
            None if temperature is None else temperature / 1000,
        )


@dataclass(frozen=True)
class Cuda:
    """What torch reports about its GPU. free: bytes. held: bytes of this process. uuid: as NVML writes it."""

    works: bool
    free: int = 0
    held: int = 0
    uuid: str = ""

    @classmethod
    def here(cls) -> "Cuda | None":
        """Return None in a process that has not imported torch, which is not imported for this."""
        torch: Any = sys.modules.get("torch")
        if torch is None:
            return None
        try:
            if not torch.cuda.is_available():
                return cls(False)
            free, _ = torch.cuda.mem_get_info()
            uuid = _try(lambda: f"GPU-{torch.cuda.get_device_properties(0).uuid}", "")
            # CUDA's context stays with the process; the estimates count it as needed.
            return cls(True, free, torch.cuda.memory_reserved() + CONTEXT, uuid)
        except Exception as e:  # a driver that answers NVML and fails torch: the processor is there
            log.warning("The graphics card cannot be used: %s", e)
            return cls(False)


def chosen(samples: Sequence[GpuSample], card: str, environ: Mapping[str, str]) -> GpuSample:
    """Return the GPU that torch uses first. NVML orders by bus; CUDA by speed, and only visible ones."""
    by_bus = environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    order = list(samples) if by_bus else sorted(samples, key=lambda sample: -sample.speed)
    wanted = card or environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) < len(order):
        return order[int(wanted)]
    named = [sample for sample in samples if wanted and sample.uuid.startswith(wanted)]
    return (named or order)[0]


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
        watch: measures the GPUs.
        speeds: measured ones, of `large` models (`measurements.Record.speeds`).
        own: ids of processes whose memory counts as free: the worker that caches the model.
        build: the installed torch.
        large: the model is of full size.
        cuda: what torch reports, if it is loaded; more reliable than the driver.
        held: bytes of video memory that the worker reports as its own, for drivers that report no shares (Windows), and
            for containers, in which the worker has another process id.
    """
    watch, build, speeds = watch or GpuWatch(), build or torch_build(), speeds or {}
    memory, cores = container.memory(), container.cpus()
    ram_free = memory.available + sum(_try(lambda pid=pid: psutil.Process(pid).memory_info().rss, 0) for pid in own)
    bf16 = cpu_bf16()
    found = Machine(
        ram_total=memory.total,
        ram_free=min(memory.total, ram_free),
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
        }
    found = replace(found, **values)
    measured = {"gpu_speed": speed_key("cuda", found.name, large), "cpu_speed": speed_key("cpu", "", large)}
    return replace(found, **{kind: speeds[key] for kind, key in measured.items() if key in speeds})


def usable(gpus: Gpus, build: TorchBuild) -> bool:
    """Tell whether the installed torch can compute on this GPU."""
    if gpus.kind == "nvidia":
        return build.cuda is not None and (not gpus.cuda[0] or gpus.cuda[0] >= build.cuda[0])
    return gpus.kind == "amd" and build.hip


def gpu_speed(gpus: Gpus) -> float:
    """Estimate the 10¹² operations a second of a GPU without measurements; 5 if its cores are unknown."""
    if not gpus.cores or not gpus.clock_mhz:
        return 5.0
    rates = [rate for capability, rate in TENSOR_RATE.items() if capability <= gpus.capability]
    rate = rates[-1] if rates else 2
    return gpus.cores * gpus.clock_mhz * 1e6 * rate / 1e12 * REACHED.get(rate, REACHED_ELSE)


def _processes(lib: Any, handle: Any) -> tuple[GpuProcess, ...]:
    found: dict[int, int] = {}
    for ask in (lib.nvmlDeviceGetComputeRunningProcesses, lib.nvmlDeviceGetGraphicsRunningProcesses):
        for process in _try(lambda ask=ask: ask(handle), []):
            # None or the largest number where the driver does not tell (Windows' WDDM).
            memory = process.usedGpuMemory
            found[process.pid] = max(found.get(process.pid, 0), memory if memory and memory < 2**50 else 0)
    named = [GpuProcess(pid, _process_name(pid), memory) for pid, memory in found.items()]
    return tuple(sorted(named, key=lambda p: -p.memory))


def others(sample: GpuSample, own: frozenset[int]) -> tuple[GpuProcess, ...]:
    """Return the programs that hold video memory, except our own."""
    return tuple(process for process in sample.processes if process.pid not in own)


def _speed(lib: Any, handle: Any) -> float:
    major, minor = _try(lambda: lib.nvmlDeviceGetCudaComputeCapability(handle), (0, 0))
    cores = _try(lambda: lib.nvmlDeviceGetNumGpuCores(handle), 0)
    clock = _try(lambda: lib.nvmlDeviceGetMaxClockInfo(handle, lib.NVML_CLOCK_SM), 0)
    return (10 * major + minor) * 1e12 + cores * clock


def _process_name(pid: int) -> str:
    return _try(lambda: psutil.Process(pid).name(), f"process {pid}")


def _amd_name(card: Path) -> str:
    try:
        return (card / "product_name").read_text(encoding="utf-8").strip() or "AMD GPU"
    except OSError:
        return "AMD GPU"


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _try(ask: Callable[[], Any], otherwise: Any) -> Any:
    """Ask the driver something that some drivers or systems do not answer."""
    try:
        return ask()
    except Exception:  # NVMLError, psutil.Error, AttributeError of an older binding
        return otherwise
