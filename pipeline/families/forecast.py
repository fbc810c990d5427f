"""Estimate the memory and time of a plan, by its family's cost model. Without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..hardware.units import GIB
from ..progress import Stage
from . import family
from .base import MemoryPlan

STAGES = (Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING)
"""The stages that have a peak of their own."""


@dataclass(frozen=True)
class Forecast:
    """The estimated memory and time of a plan.

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
    """Estimate the memory and time of a plan on its machine, by its family's cost model."""
    return family(plan.model.family).cost.forecast(plan)


def peak(plan: MemoryPlan, stage: Stage) -> int:
    """Return the bytes on the computing device at the stage's highest point."""
    return family(plan.model.family).cost.peak(plan, stage)


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
