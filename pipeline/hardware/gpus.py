"""Measure the GPUs: load, memory, temperature, and the processes that hold their memory. Never raises, without torch.

NVIDIA through NVML (nvidia-ml-py), AMD on Linux through sysfs. Apple and other GPUs are only named.
"""

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .units import GIB

log = logging.getLogger(__name__)

NVML_DELAY = 30.0
"""Seconds until a missing or broken driver is asked again (it may be installed while the page is open)."""


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds video memory.

    Attributes:
        pid: Its id.
        name: Its program.
        memory: Bytes; 0 if the driver does not report it (Windows).
    """

    pid: int
    name: str
    memory: int


@dataclass(frozen=True)
class GpuSample:
    """One measurement of one GPU. None means unknown.

    Attributes:
        time: Unix seconds.
        index: NVML's index, which differs from torch's.
        name: The GPU's name.
        load: 0 to 100 %.
        memory_used: Bytes.
        memory_total: Bytes.
        temperature: °C.
        processes: Processes that hold its memory, the largest first.
        speed: Sort key (compute capability, cores times clock): CUDA numbers the GPUs by it, the fastest first.
        uuid: As NVML writes it.
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
    """The GPUs of this machine.

    Attributes:
        kind: `nvidia`, `amd`, `apple`, `other` or `none`.
        names: The GPUs' names.
        driver: Version of the driver.
        cuda: Newest CUDA version that the driver supports, (major, minor).
        capability: Compute capability of the GPU that torch uses.
        cores: Core count of that GPU.
        clock_mhz: Clock of that GPU.
        note: Sentence for the user if the GPUs cannot be watched, else "".
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
        sysfs: Folder in which Linux lists its graphics cards.
        now: Returns Unix seconds.
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
        """Return a sample of the GPU that torch computes on, or None if there is none or all are hidden from it.

        Args:
            card: its UUID if torch has reported it; else the GPU is inferred.
        """
        found = self.samples()
        if not found or (not card and hidden(os.environ)):
            return None
        return chosen(found, card, os.environ)

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
        """Query NVML anew next time: the driver was updated, or the GPU was disconnected."""
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


def chosen(samples: Sequence[GpuSample], card: str, environ: Mapping[str, str]) -> GpuSample:
    """Return the GPU that torch uses first. NVML orders GPUs by bus; CUDA by speed, and only visible ones."""
    order = _in_order(samples, environ)
    wanted = card or environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    return _named(wanted, order) or order[0]


def visible(samples: Sequence[GpuSample], environ: Mapping[str, str]) -> list[GpuSample]:
    """Return the GPUs that torch sees. CUDA ignores the entries of CUDA_VISIBLE_DEVICES after an unknown one."""
    order = _in_order(samples, environ)
    if "CUDA_VISIBLE_DEVICES" not in environ:
        return order
    found: list[GpuSample] = []
    for entry in environ["CUDA_VISIBLE_DEVICES"].split(","):
        sample = _named(entry.strip(), order)
        if sample is None:
            break
        found.append(sample)
    return found


def hidden(environ: Mapping[str, str]) -> bool:
    """Tell whether CUDA_VISIBLE_DEVICES hides every GPU from torch."""
    first = environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    return first in ("", "-1")


def _in_order(samples: Sequence[GpuSample], environ: Mapping[str, str]) -> list[GpuSample]:
    by_bus = environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
    return list(samples) if by_bus else sorted(samples, key=lambda sample: -sample.speed)


def _named(entry: str, order: Sequence[GpuSample]) -> GpuSample | None:
    """Return the GPU of an entry of CUDA_VISIBLE_DEVICES: a number in CUDA's order, or the start of a UUID."""
    if entry.isdecimal():
        return order[int(entry)] if int(entry) < len(order) else None
    return next((sample for sample in order if entry and sample.uuid.startswith(entry)), None)


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
    """Return the processes that hold video memory, except our own."""
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
    """Query the driver; return `otherwise` if this driver or system does not answer."""
    try:
        return ask()
    except Exception:  # NVMLError, psutil.Error, AttributeError of an older binding
        return otherwise
