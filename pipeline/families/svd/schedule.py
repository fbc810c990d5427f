"""Compute the noise levels of a run: Karras' spacing, or the ten levels of Align Your Steps stretched to any count."""

import math
from typing import Any, Literal

import torch

from ..base import NoiseSchedule

AYS_SIGMAS = (700.00, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034)
"""Align Your Steps (arXiv 2404.14507) for Stable Video Diffusion; the same figures are in diffusers' AysSchedules."""


def noise_schedule(
    scheduler: Any, steps: int, kind: Literal["karras", "ays", "fixed"], device: torch.device
) -> NoiseSchedule:
    """Ask the model's own scheduler for its noise levels, on a copy: the loaded one keeps no state.

    Args:
        scheduler: diffusers' EulerDiscreteScheduler.
        steps: 1..100.
        kind: `ays` (arXiv 2404.14507), else `karras` (arXiv 2206.00364, eq. 5).
        device: Where the timesteps are made.
    """
    own = scheduler.from_config(scheduler.config)
    if kind == "ays":
        own.set_timesteps(sigmas=[*ays_sigmas(steps), 0.0], device=device)
    else:
        own.set_timesteps(steps, device=device)
    return NoiseSchedule(own.sigmas, own.timesteps, torch.as_tensor(own.init_noise_sigma))


def ays_sigmas(steps: int) -> list[float]:
    """Return the published ten levels, or as many as wanted on the straight lines between their logarithms."""
    if steps == 1:
        return [AYS_SIGMAS[0]]
    logs = [math.log(sigma) for sigma in AYS_SIGMAS]
    found = []
    for i in range(steps):
        place = i * (len(logs) - 1) / (steps - 1)
        low = min(int(place), len(logs) - 2)
        found.append(math.exp(logs[low] + (place - low) * (logs[low + 1] - logs[low])))
    return found
