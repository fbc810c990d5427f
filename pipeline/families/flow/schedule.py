"""Give the noise levels of a distilled model: fixed ones, from the preset."""

from typing import Literal

import torch

from ..base import NoiseSchedule

TRAIN_STEPS = 1000
"""The transformer is told a level as σ times this."""


def fixed_schedule(
    sigmas: tuple[float, ...], steps: int, solver: Literal["euler", "unipc", "lcm"] = "euler"
) -> NoiseSchedule:
    """Return the preset's levels, or as many as wanted on the straight lines between them.

    Args:
        sigmas: Falling, without the last, which is 0.
        steps: 1..100.
        solver: See `presets.schema.Sampling`.
    """
    levels = torch.tensor([*stretched(sigmas, steps), 0.0], dtype=torch.float32)
    return NoiseSchedule(levels, levels[:-1] * TRAIN_STEPS, torch.tensor(1.0), solver)


def stretched(sigmas: tuple[float, ...], steps: int) -> list[float]:
    """Return `steps` levels along the given ones and the 0 behind them; exactly the given ones for their own number."""
    ends, count = (*sigmas, 0.0), len(sigmas)
    found = []
    for i in range(steps):
        low, rest = divmod(i * count, steps)
        found.append(ends[low] + (ends[low + 1] - ends[low]) * rest / steps if rest else ends[low])
    return found
