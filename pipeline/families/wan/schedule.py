"""Give the noise levels of flow matching, evenly spaced and moved up by the preset's shift."""

import torch

from ..base import NoiseSchedule
from .levels import TRAIN_STEPS, shifted


def noise_schedule(steps: int, shift: float, solver: str) -> NoiseSchedule:
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
    return NoiseSchedule(sigmas, times, torch.tensor(1.0), "unipc" if solver == "unipc" else "euler")
