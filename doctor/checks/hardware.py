"""Check the hardware: free disk space, RAM, and the GPU with its driver and memory."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...errors import StoreError
from ...fs import nearest_existing
from ...messages import codes
from ...pipeline.hardware import container
from ...pipeline.hardware.compiler import Lack, lacking
from ...pipeline.hardware.cpu import cpu_name
from ...pipeline.hardware.devices import usable
from ...pipeline.hardware.gpus import Gpus, GpuSample, GpuWatch, others
from ...pipeline.hardware.torch_build import TorchBuild, torch_build
from ...pipeline.memory.planner import OFFLOAD_BELOW
from ...queue.submit import MIN_FREE_BYTES
from ..diagnosis import file_size, size
from ..examination import Examination
from ..finding import BROKEN, WARN, Finding, fault, ok

LOW_DISK = 2 << 30
"""Bytes. Less free disk space causes a warning."""
LOW_MEMORY = 2 << 30
"""Bytes. Less free RAM causes a warning."""
LOW_VRAM = 0.6
"""Share of the video memory. Less free memory causes a warning, if other programs use the GPU."""
NAMES = {Lack.TRITON: "Triton", Lack.C_COMPILER: "gcc", Lack.PYTHON_HEADERS: "Python.h"}
HOT = 90.0
"""Degrees Celsius. A hotter GPU causes a warning."""


def check_disk(examination: Examination) -> Iterator[Finding]:
    """Check that the folders of data and models can be written and have free space."""
    settings = examination.settings
    for folder in dict.fromkeys((settings.home, settings.models)):
        place = nearest_existing(folder)
        free = shutil.disk_usage(place).free
        if problem := write_error(place):
            yield fault("disk", BROKEN, codes.NOT_WRITABLE, folder=folder, error=problem)
        elif free < LOW_DISK:
            result = BROKEN if free < MIN_FREE_BYTES else WARN
            yield fault("disk", result, codes.DISK_FULL, folder=folder, free=file_size(free))
        else:
            yield ok("disk", free=file_size(free), folder=folder)


def check_memory(_: Examination) -> Iterator[Finding]:
    """Check the free RAM."""
    memory = container.memory()
    values = {"free": size(memory.available), "total": size(memory.total)}
    if memory.available < LOW_MEMORY:
        yield fault("memory", WARN, "FM-MEM-003", need="8 GB", **values)
    else:
        yield ok("memory", "memory_limited" if memory.limited else "", **values)


def check_gpu(examination: Examination) -> Iterator[Finding]:
    """Check that torch can use the GPU, then the GPU's free memory and temperature."""
    watch, build = GpuWatch(), torch_build()
    gpus, sample = watch.describe(), watch.sample()
    found = _driver(gpus, build)
    if found is None:
        yield ok("gpu", "gpu_none", cpu=cpu_name(), cores=container.cpus())
        return
    yield found
    if sample is None:
        return
    yield _video_memory(examination, sample)
    if sample.memory_total >= OFFLOAD_BELOW and examination.settings.compile != "never":
        yield from _compiler(gpus)
    if sample.temperature is not None and sample.temperature >= HOT:
        yield fault("watch", WARN, "FM-GPU-007", temperature=sample.temperature)


def _driver(gpus: Gpus, build: TorchBuild) -> Finding | None:
    """Check that driver and torch fit the GPU. None if there is no GPU."""
    name, works = ", ".join(gpus.names), usable(gpus, build)
    if gpus.kind == "nvidia" and build.cuda is None:
        return fault("gpu", BROKEN, "FM-GPU-002", name=name, driver=gpus.driver, torch=build.version)
    if gpus.kind == "nvidia" and not works:
        have, need = (".".join(map(str, pair)) for pair in (gpus.cuda, build.cuda or (0, 0)))
        values = {"driver": gpus.driver, "have": have, "need": need, "torch": build.version}
        return fault("gpu", BROKEN, "FM-GPU-003", **values)
    if gpus.kind == "amd" and not build.hip:
        return fault("gpu", WARN, "FM-GPU-006", name=name, torch=build.version, build=build.kind)
    return ok("gpu", name=name, driver=gpus.driver, build=build.kind) if works else None


def _compiler(gpus: Gpus) -> Iterator[Finding]:
    """Check that models can be compiled for the GPU. On one that is too old for it nothing is to be mended."""
    lack = lacking(gpus)
    if lack is None:
        yield ok("compile")
    elif lack is not Lack.CARD:
        yield fault("compile", WARN, "FM-GPU-010", what=NAMES[lack])


def _video_memory(examination: Examination, sample: GpuSample) -> Finding:
    """Check whether other programs hold much of the video memory."""
    try:
        own = frozenset(worker.pid for worker in examination.jobs.workers() if worker.alive)
    except StoreError:  # the GPU is checked even if the job list cannot be read
        own = frozenset[int]()
    free, total = size(sample.memory_free), size(sample.memory_total)
    holders = others(sample, own)
    if not holders or sample.memory_free >= LOW_VRAM * sample.memory_total:
        return ok("vram", free=free, total=total)
    named = ", ".join(f"{p.name} ({size(p.memory)})" if p.memory else p.name for p in holders[:4])
    return fault("vram", WARN, "FM-GPU-004", free=free, total=total, holders=named)


def write_error(folder: Path) -> str:
    """Write a temporary file. Return why that failed, or ""."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as e:
        return e.strerror or str(e)
