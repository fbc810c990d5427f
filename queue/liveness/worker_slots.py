"""Decide how many workers a machine gets, which GPU each one computes on, and its share of processors and RAM."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import BadInput
from ...messages import msg
from ...pipeline.hardware.container import SHARERS, thread_limit
from ...pipeline.hardware.devices import usable
from ...pipeline.hardware.gpus import GpuSample, GpuWatch, visible
from ...pipeline.hardware.torch_build import TorchBuild, torch_build
from ...pipeline.hardware.units import GIB

log = logging.getLogger(__name__)

SMALLEST = 7 * GIB // 2
"""Bytes of VRAM. A smaller GPU gets no worker of its own. Those sold with 4 GB report a little less than that."""

NO_GPU = "none"
"""`WorkerSlot.gpu` of a worker that must compute on the processor."""


@dataclass(frozen=True)
class WorkerSlot:
    """The place of one supervised worker on this machine.

    Attributes:
        gpu: UUID of the GPU that it computes on, NO_GPU, or "" for the one that torch uses first, if there is any.
        name: of that GPU with its number, for people; "" with `gpu` "".
        workers: so many workers share this machine's processors and RAM.
    """

    gpu: str = ""
    name: str = ""
    workers: int = 1

    def environ(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return variables for the worker's process, which already has `environ`."""
        own = thread_limit(environ, self.workers)
        if self.workers > 1:
            own[SHARERS] = str(self.workers)
        if self.gpu == NO_GPU:
            own |= {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}
        elif self.gpu:
            own["CUDA_VISIBLE_DEVICES"] = self.gpu
        return own


def worker_slots(
    wanted: str,
    watch: GpuWatch | None = None,
    build: TorchBuild | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[WorkerSlot, ...]:
    """Return a slot for each worker of this machine: one for every suitable NVIDIA GPU, at least one.

    Where one worker is enough, because there is one GPU, none, or none that NVML reports, it finds its device itself.

    Args:
        wanted: `Settings.gpus`.
        watch: measures the GPUs.
        build: the installed torch.
        environ: its CUDA_VISIBLE_DEVICES limits which GPUs are used.

    Raises:
        BadInput: `wanted` names a GPU that this machine does not have.
    """
    if wanted == "none":
        return (WorkerSlot(NO_GPU),)
    watch = watch or GpuWatch()
    gpus = watch.describe()
    if gpus.kind != "nvidia" or not usable(gpus, build or torch_build()):
        if wanted != "all":
            log.warning("FANSLYMOTION_GPUS is %s, but torch can use no NVIDIA GPU here: one worker starts", wanted)
        return (WorkerSlot(),)
    found = watch.samples()
    if wanted == "all":
        seen = visible(found, environ)
        chosen = [sample for sample in seen if sample.memory_total >= SMALLEST and sample.uuid]
        if not chosen or len(seen) == 1:
            return (WorkerSlot(),)
    else:
        chosen = list({sample.uuid: sample for sample in (_named(one, found) for one in wanted.split(","))}.values())
        if len(found) == 1:
            return (WorkerSlot(),)
    return tuple(WorkerSlot(sample.uuid, f"GPU {sample.index}: {sample.name}", len(chosen)) for sample in chosen)


def _named(entry: str, found: list[GpuSample]) -> GpuSample:
    """Return the GPU with this number or UUID, which may be shortened as for CUDA. Raise BadInput."""
    for sample in found:
        if entry == str(sample.index) or (entry.startswith("GPU-") and sample.uuid.startswith(entry)):
            return sample
    raise BadInput(
        msg(
            "FANSLYMOTION_GPUS names {entry!r}, but this machine has {found}; choose among them, or write all or none",
            entry=entry,
            found=", ".join(f"{sample.index} ({sample.name}, {sample.uuid})" for sample in found) or "no GPU",
        )
    )
