"""Compute the noise levels of a run: Karras' spacing, or the ten levels of Align Your Steps stretched to any count."""

from typing import Any

import torch

from .....presets.options import ScheduleName
from ...base import NoiseSchedule
from .levels import ays_sigmas


def noise_schedule(scheduler: Any, steps: int, kind: ScheduleName, device: torch.device) -> NoiseSchedule:
    """Ask the model's own scheduler for its noise levels, on a copy: the loaded one keeps no state.

    Args:
        scheduler: diffusers' EulerDiscreteScheduler.
        steps: 1..100.
        kind: `ays` (arXiv 2404.14507), else `karras` (arXiv 2206.00364, eq. 5).
        device: Makes the timesteps, as in the stock pipeline: its logarithm may round otherwise than the CPU's.
    """
    own = scheduler.from_config(scheduler.config)
    if kind == "ays":
        own.set_timesteps(sigmas=[*ays_sigmas(steps), 0.0], device=device)
    else:
        own.set_timesteps(steps, device=device)
    return NoiseSchedule(own.sigmas, own.timesteps, torch.as_tensor(own.init_noise_sigma))
