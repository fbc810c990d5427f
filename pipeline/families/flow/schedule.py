"""Give the noise levels of a distilled model: fixed ones, from the preset."""

import torch

from ....presets.options import SolverName
from ..base import NoiseSchedule
from .levels import TRAIN_STEPS, stretched


def fixed_schedule(sigmas: tuple[float, ...], steps: int, solver: SolverName = "euler") -> NoiseSchedule:
    """Return the preset's levels, or as many as wanted on the straight lines between them.

    Args:
        sigmas: Falling, without the last, which is 0.
        steps: 1..100.
        solver: See `presets.schema.Sampling`.
    """
    levels = torch.tensor([*stretched(sigmas, steps), 0.0], dtype=torch.float32)
    return NoiseSchedule(levels, levels[:-1] * TRAIN_STEPS, torch.tensor(1.0), solver)
