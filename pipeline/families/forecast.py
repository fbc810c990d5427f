"""Say what a memory plan takes: as measured on this machine, else by its family's cost model. Without torch.

The form's estimate, the time left and the planner all ask here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..hardware.machine import device_key
from ..hardware.measurements import Figure, former_key
from ..hardware.units import CONTEXT, GIB
from ..progress import Stage
from ..windows import WindowPlan
from . import family
from .base import MemoryPlan, Offload

STAGES = (Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING)
"""The stages that have a peak of their own."""

HELD = 1.05
"""What torch's allocator holds of a GPU's memory, over what was measured as allocated."""


@dataclass(frozen=True)
class Forecast:
    """The memory and time of a plan, measured or estimated.

    Attributes:
        device: `cuda` or `cpu`.
        peaks: Bytes on the computing device (VRAM, or RAM on a CPU) at each stage's highest point.
        ram: Bytes of the machine's memory.
        limit: Bytes that may be taken on the computing device.
        ram_limit: Bytes that may be taken of the machine's memory.
        total: Bytes that the computing device has.
        stage_seconds: Seconds of each stage, with the model not loaded yet.
    """

    device: str
    peaks: Mapping[Stage, int]
    ram: int
    limit: int
    ram_limit: int
    total: int
    stage_seconds: Mapping[Stage, float]

    @property
    def need(self) -> int:
        """Bytes on the computing device at the highest point of all stages."""
        return max(self.peaks.values())

    @property
    def fits(self) -> bool:
        """Whether the plan stays within both limits."""
        return self.need <= self.limit and self.ram <= self.ram_limit

    @property
    def over(self) -> list[Stage]:
        """The stages whose peak is above the limit, in their order."""
        return [stage for stage, peak in self.peaks.items() if peak > self.limit]

    @property
    def seconds(self) -> float:
        """Seconds of computing for the whole job."""
        return sum(self.stage_seconds.values())

    @property
    def summary(self) -> str:
        """`about 3 min, 9.8 GB of 12 GB`, for the form."""
        memory = f"{self.need / GIB:.1f} GB of {round(self.total / GIB)} GB"
        return f"about {duration_text(self.seconds)}, {memory}" + (" on the CPU" if self.device == "cpu" else "")


def forecast(plan: MemoryPlan) -> Forecast:
    """Return what the plan takes on its machine: measured figures, and estimates for what was never measured."""
    found = estimate(plan)
    if not plan.machine.figures:
        return found
    count = units(plan)
    seconds = {stage: measured.seconds * count[stage] for stage in Stage if (measured := _figure(plan, stage))}
    peaks = {stage: measured for stage in found.peaks if (measured := _measured_peak(plan, stage))}
    return replace(found, peaks={**found.peaks, **peaks}, stage_seconds={**found.stage_seconds, **seconds})


def estimate(plan: MemoryPlan) -> Forecast:
    """Return what the plan takes by its family's formulas alone."""
    return family(plan.model.family).cost.forecast(plan)


def peak(plan: MemoryPlan, stage: Stage) -> int:
    """Return the bytes on the computing device at the stage's highest point, measured or else estimated."""
    return _measured_peak(plan, stage) or family(plan.model.family).cost.peak(plan, stage)


def windows(plan: MemoryPlan) -> WindowPlan:
    """Plan the windows, in latent frames, as the request will be resolved."""
    return family(plan.model.family).geometry.windows(plan.work.frames, plan.window, loop=plan.work.loop)


def units(plan: MemoryPlan) -> dict[Stage, float]:
    """Return how many units each stage has: steps over all windows, sampled frames; 1 where a stage is one thing."""
    work = plan.work
    return {
        Stage.LOADING: 1,
        Stage.CONDITIONING: 1,
        Stage.SAMPLING: windows(plan).count * work.steps,
        Stage.DECODING: work.frames,
        Stage.SAVING: 1,
    }


def pace(plan: MemoryPlan) -> dict[Stage, float]:
    """Return the seconds that a unit of each stage takes: the forecast's, divided by `units`."""
    count = units(plan)
    return {stage: seconds / count[stage] for stage, seconds in forecast(plan).stage_seconds.items()}


def figure_key(plan: MemoryPlan, stage: Stage) -> str:
    """Return the key of a stage's measurement: the machine's device, the model, and what in the plan decides it."""
    work, numbers = plan.work, f"{plan.dtype} {plan.offload}"
    drawn = f"{plan.width}x{plan.height}"
    parts = [device_key(plan.device, plan.machine.name), plan.model.name, str(stage), numbers]
    if stage is Stage.CONDITIONING:
        parts.append(drawn)
    elif stage is Stage.SAMPLING:
        branches = "two passes" if plan.guided and plan.two_pass else "guided" if plan.guided else "unguided"
        even = family(plan.model.family).geometry.overlap  # windows are as long as the video needs them
        parts += [
            f"{drawn}x{windows(plan).frames if even else plan.window}",
            branches,
            *(["chunked"] if plan.chunked else []),
        ]
    elif stage in (Stage.DECODING, Stage.SAVING):
        shown = f"{work.shown_pixels} pixels, {work.shown_frames / work.frames:g} shown"
        parts += [drawn, f"by {plan.decode_chunk}", shown, *(["detail"] if work.detail else []), work.upscaler_name]
    return "|".join(parts)


def _figure(plan: MemoryPlan, stage: Stage) -> Figure | None:
    """Return what was measured for exactly this, or by an earlier version for its size and placement."""
    figures = plan.machine.figures
    found = figures.get(figure_key(plan, stage))
    if found is not None or stage is not Stage.SAMPLING:
        return found
    offload = "" if plan.offload is Offload.NONE else f", {plan.offload} offload"
    kind = f"{plan.model.name} {plan.width}x{plan.height} {plan.device}, {plan.dtype}{offload}"
    return figures.get(former_key(kind, stage))


def _measured_peak(plan: MemoryPlan, stage: Stage) -> int:
    """Return the bytes on the GPU, 0 where they were not measured.

    While a model loads, the one before it may still be there. An upscaler takes tiles of the size for which there is
    room: what it took once says nothing about the next time.
    """
    if plan.device == "cpu" or stage is Stage.LOADING or (stage is Stage.DECODING and plan.work.upscaler):
        return 0
    found = plan.machine.figures.get(figure_key(plan, stage))
    return int(found.peak * HELD) + CONTEXT if found and found.peak else 0


def tile_side(plan: MemoryPlan) -> int:
    """Return the side in pixels of the upscaler's largest tile for which the decoder leaves room."""
    return family(plan.model.family).cost.tile_side(plan)


def duration_text(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 20 min`: no more digits than an estimate has."""
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60 // 5 * 5} min" if minutes % 60 >= 5 else "")
