"""Give the noise levels of flow matching, evenly spaced and moved up by the preset's shift."""

import torch

from ....presets.options import SolverName
from ..base import NoiseSchedule
from ..flow.levels import TRAIN_STEPS, shift_level
from ..flow.schedule import fixed_schedule
from .levels import shifted


def distilled_schedule(steps: int, shift: float) -> NoiseSchedule:
    """Return the levels that the models distilled to a few steps (Lightning) were trained on, for Euler's steps.

    They begin at 1, where `noise_schedule` stays below it, and the model is told them as they are. Four steps with
    shift 5 are 1, 0.9375, 0.8333 and 0.625.

    Args:
        steps: 1..100.
        shift: See `presets.schema.Sampling`.
    """
    even = torch.tensor([1 - i / steps for i in range(steps)])
    return fixed_schedule(tuple(shift_level(even, shift).tolist()), steps)


def noise_schedule(steps: int, shift: float, solver: SolverName) -> NoiseSchedule:
    """Return the levels and times of diffusers' UniPCMultistepScheduler with flow sigmas, for either solver.

    Args:
        steps: 1..100.
        shift: See `presets.schema.Sampling`.
        solver: See `presets.schema.Sampling`.
    """
    levels = shifted(steps, shift)
    sigmas = torch.tensor([*levels, 0.0], dtype=torch.float64).to(torch.float32)
    # Whole numbers, cut off: what the model is told in the stock pipeline.
    times = torch.tensor([float(int(level * TRAIN_STEPS)) for level in levels])
    return NoiseSchedule(sigmas, times, torch.tensor(1.0), solver)
