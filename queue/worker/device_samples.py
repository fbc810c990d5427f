"""What the graphics card does while a job runs: thin samples in the job's events, and a word when it idles (T10).

Where no card can be watched the processor takes its place, so that every job has its graph.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from ...errors import StoreError
from ...pipeline.hardware import container, devices
from ...pipeline.hardware.cpu import cpu_name
from ...pipeline.hardware.torch_build import torch_build
from ...pipeline.hardware.units import CONTEXT
from ...pipeline.progress import Stage
from ..store import transitions
from ..store.store import Store

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
KEEP_SECONDS = 2.0
"""Between two kept samples; it doubles after every KEPT of them, so that an hour's job keeps some six hundred."""
KEPT = 150
IDLE_LOAD = 10.0
"""Per cent. Below it a card that should be sampling is not at work."""
IDLE_SECONDS = 30.0

Sample = dict[str, Any]
"""device (`gpu` or `cpu`), name, load (0..100 % or None), used and total (bytes), temperature (°C or None); stage."""


class Meter:
    """One look at the device a job runs on, or should run on. Never raises."""

    def __init__(self, watch: devices.GpuWatch | None = None) -> None:
        self.watch = watch or devices.GpuWatch()
        psutil.cpu_percent(None)  # the first answer means nothing
        # Whoever has an AMD card and no ROCm is told so by the doctor, not by every job: here the processor counts.
        self._processor_only = self.watch.describe().kind == "amd" and not torch_build().hip

    def look(self) -> Sample:
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
        """Why a card may idle, as a key of the catalogue's section `idle`."""
        gpus, build = self.watch.describe(), torch_build()
        if gpus.kind == "nvidia" and build.cuda is None:
            return "cpu_build"
        cuda = devices.Cuda.here()
        if not devices.usable(gpus, build) or (cuda is not None and not cuda.works):
            return "driver"
        if cuda is not None and cuda.held <= CONTEXT:
            return "planned"
        return "elsewhere"


class Watcher:
    """Context manager beside a running attempt. stage: what the job does right now; read from this thread."""

    def __init__(self, store: Store, job_id: str, worker: str, stage: Callable[[], str], meter: Meter | None = None):
        self._store, self._job_id, self._worker, self._stage = store, job_id, worker, stage
        self._meter = meter
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """Does not wait: a driver that hangs must not hold up a job's end."""
        self._ended.set()

    def _run(self) -> None:
        meter, idle, thin = self._meter or Meter(), Idle(), Thin()
        try:
            while not self._ended.wait(LOOK_SECONDS):
                sample = meter.look() | {"stage": self._stage()}
                try:
                    if kept := thin.add(sample):
                        self._keep("watch", json.dumps(kept, separators=(",", ":"), ensure_ascii=False))
                    if idle.noticed(sample):
                        self._tell(meter.idle_reason(), idle)
                except StoreError as e:  # a graph is never worth a job; the reporter says what is wrong
                    log.debug("No sample: %s", e)
        finally:
            self._store.close()

    def _tell(self, why: str, idle: "Idle") -> None:
        values = {"seconds": IDLE_SECONDS, "load": idle.mean, "why": why}
        log.warning("The graphics card's load stays under %.0f %% while sampling (%s): FM-GPU-005", IDLE_LOAD, why)
        self._keep("fault", "FM-GPU-005", values)

    def _keep(self, kind: str, text: str, data: dict[str, Any] | None = None) -> None:
        self._store.relax()
        with self._store.write():
            if transitions.renew(self._store, self._job_id, self._worker, {}, log=True):
                transitions.add_event(self._store, self._job_id, time.time(), kind, text, data=data)


class Thin:
    """Averages samples to fewer and fewer."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._every, self._count = now, KEEP_SECONDS, 0
        self._since = now()
        self._loads: list[float] = []

    def add(self, sample: Sample) -> Sample | None:
        """The newest sample with the mean load since the last kept one, when it is time for one."""
        if sample["load"] is not None:
            self._loads.append(sample["load"])
        if self._now() - self._since < self._every:
            return None
        mean = round(sum(self._loads) / len(self._loads), 1) if self._loads else None
        self._since, self._loads, self._count = self._now(), [], self._count + 1
        if self._count % KEPT == 0:
            self._every *= 2
        return {**sample, "load": mean}


class Idle:
    """Notices, once, a card whose load stayed under IDLE_LOAD for IDLE_SECONDS of sampling."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._since: float | None = None
        self._loads: list[float] = []
        self._told = False

    @property
    def mean(self) -> float:
        return sum(self._loads) / len(self._loads)

    def noticed(self, sample: Sample) -> bool:
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
