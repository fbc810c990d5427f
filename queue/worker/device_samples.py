"""Record the GPU's load in a running job's events, and report an idle GPU (FM-GPU-005).

Where no GPU can be observed, the CPU's load is recorded, so that every job has a graph.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from ...errors import StoreError
from ...messages import codes
from ...pipeline.hardware import container, devices
from ...pipeline.hardware.cpu import cpu_name
from ...pipeline.hardware.gpus import GpuWatch
from ...pipeline.hardware.torch_build import torch_build
from ...pipeline.hardware.units import CONTEXT
from ...pipeline.progress import Stage
from ..store import transitions
from ..store.store import Store
from ..types import EventKind

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two measurements."""
KEEP_SECONDS = 2.0
"""Between two recorded samples; it doubles after every KEPT of them, so a job of an hour records about 600."""
KEPT = 150
"""Recorded samples until KEEP_SECONDS doubles."""
IDLE_LOAD = 10.0
"""Per cent. With less load during sampling a GPU counts as idle."""
IDLE_SECONDS = 30.0
"""Seconds of sampling with a low load until the GPU is reported as idle."""

Sample = dict[str, Any]
"""Keys: device (`gpu` or `cpu`), name, load (0 to 100 % or None), used and total (bytes), temperature (°C or None),
stage."""


class DeviceMeter:
    """Measure the device that a job runs on, or should run on. Never raises.

    Args:
        watch: observes the GPUs.
    """

    def __init__(self, watch: GpuWatch | None = None) -> None:
        self.watch = watch or GpuWatch()
        psutil.cpu_percent(None)  # the first value is meaningless
        # An AMD GPU without ROCm is reported by the doctor, not by every job: measure the CPU.
        self._processor_only = self.watch.describe().kind == "amd" and not torch_build().hip

    def look(self) -> Sample:
        """Return a sample, without its stage."""
        found = None if self._processor_only else self.watch.sample()
        if found is not None:
            return {
                "device": "gpu",
                "name": found.name,
                "load": found.load,
                "used": found.memory_used,
                "total": found.memory_total,
                "temperature": found.temperature,
            }
        memory = container.memory()
        return {
            "device": "cpu",
            "name": cpu_name(),
            "load": psutil.cpu_percent(None),
            "used": memory.total - memory.available,
            "total": memory.total,
            "temperature": None,
        }

    def idle_reason(self) -> str:
        """Return why the GPU may be idle, as a key of the catalogue's section `idle`."""
        gpus, build = self.watch.describe(), torch_build()
        if gpus.kind == "nvidia" and build.cuda is None:
            return "cpu_build"
        cuda = devices.Cuda.here()
        if not devices.usable(gpus, build) or (cuda is not None and not cuda.works):
            return "driver"
        if cuda is not None and cuda.held <= CONTEXT:
            return "planned"
        return "elsewhere"


class DeviceSampler:
    """Record samples during the block, an attempt, in a thread of its own.

    Args:
        store: the open store.
        job_id: the job.
        worker: this worker's id.
        stage: returns the job's current stage; called from the thread.
        meter: measures the device.
    """

    def __init__(
        self, store: Store, job_id: str, worker: str, stage: Callable[[], str], meter: DeviceMeter | None = None
    ):
        self._store, self._job_id, self._worker, self._stage = store, job_id, worker, stage
        self._meter = meter
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "DeviceSampler":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """End the thread without waiting for it: a driver that hangs must not delay the job's end."""
        self._ended.set()

    def _run(self) -> None:
        """Run the thread: measure, record what is due, and report an idle GPU."""
        meter, idle, thin = self._meter or DeviceMeter(), IdleDetector(), Downsampler()
        untold: dict[str, Any] | None = None
        try:
            while not self._ended.wait(LOOK_SECONDS):
                sample = meter.look() | {"stage": self._stage()}
                try:
                    if kept := thin.add(sample):
                        self._keep(EventKind.SAMPLE, json.dumps(kept, separators=(",", ":"), ensure_ascii=False))
                    if idle.update(sample):
                        untold = self._idle_fault(meter.idle_reason(), idle)
                    if untold is not None:
                        self._keep(EventKind.FAULT, codes.GPU_IDLE, untold)
                        untold = None
                except StoreError as e:  # a missing sample must not fail the job; a fault is told at the next look
                    log.debug("No sample: %s", e)
        finally:
            self._store.close()

    def _idle_fault(self, why: str, idle: "IdleDetector") -> dict[str, Any]:
        """Log that the GPU idles. Return the fault's values."""
        text = "The graphics card's load stays under %.0f %% while sampling (%s): %s"
        log.warning(text, IDLE_LOAD, why, codes.GPU_IDLE)
        return {"seconds": IDLE_SECONDS, "load": idle.mean, "why": why}

    def _keep(self, kind: EventKind, text: str, data: dict[str, Any] | None = None) -> None:
        self._store.relax_sync()
        with self._store.write():
            if transitions.renew(self._store, self._job_id, self._worker, {}, log=True):
                transitions.add_event(self._store, self._job_id, time.time(), kind, text, data=data)


class Downsampler:
    """Reduce samples to means over growing intervals.

    Args:
        now: returns seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._every, self._count = now, KEEP_SECONDS, 0
        self._since = now()
        self._loads: list[float] = []

    def add(self, sample: Sample) -> Sample | None:
        """Add a sample. Return the newest one with the mean load of the interval at the interval's end, else None."""
        if sample["load"] is not None:
            self._loads.append(sample["load"])
        if self._now() - self._since < self._every:
            return None
        mean = round(sum(self._loads) / len(self._loads), 1) if self._loads else None
        self._since, self._loads, self._count = self._now(), [], self._count + 1
        if self._count % KEPT == 0:
            self._every *= 2
        return {**sample, "load": mean}


class IdleDetector:
    """Detect, once, a GPU whose load stayed below IDLE_LOAD for IDLE_SECONDS of sampling.

    Args:
        now: returns seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._since: float | None = None
        self._loads: list[float] = []
        self._told = False

    @property
    def mean(self) -> float:
        """Return the mean load of the idle time, in per cent."""
        return sum(self._loads) / len(self._loads)

    def update(self, sample: Sample) -> bool:
        """Add a sample. Return True when the GPU is detected as idle for the first time."""
        load = sample["load"]
        if sample["device"] != "gpu" or sample["stage"] != Stage.SAMPLING or load is None or load >= IDLE_LOAD:
            self._since, self._loads = None, []
            return False
        self._since = self._now() if self._since is None else self._since
        self._loads.append(load)
        if self._told or self._now() - self._since < IDLE_SECONDS:
            return False
        self._told = True
        return True
