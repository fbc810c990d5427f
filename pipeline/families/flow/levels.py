"""Compute noise levels of flow matching, as all its families have them. Without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Level = TypeVar("Level", float, "torch.Tensor")

TRAIN_STEPS = 1000
"""A transformer is told the noise level σ, 0..1, as σ times this."""


def shift_level(level: Level, shift: float) -> Level:
    """Shift a noise level s, 0..1: σ = shift·s / (1 + (shift - 1)·s). shift: 1 = as it is; more = nearer to 1."""
    return shift * level / (1 + (shift - 1) * level)


def stretched(sigmas: tuple[float, ...], steps: int) -> list[float]:
    """Return `steps` levels of a distilled model along its own and the 0 behind; exactly these for their number."""
    ends, count = (*sigmas, 0.0), len(sigmas)
    found = []
    for i in range(steps):
        low, rest = divmod(i * count, steps)
        found.append(ends[low] + (ends[low + 1] - ends[low]) * rest / steps if rest else ends[low])
    return found
