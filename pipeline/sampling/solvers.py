"""Choose the step from one noise level to the next."""

from collections.abc import Mapping

import torch

from ..families.base import NoiseSchedule
from .euler import Euler, Solver
from .lcm import Lcm, StepNoise
from .unipc import UniPC


def solver(schedule: NoiseSchedule, history: Mapping[str, torch.Tensor], noise: StepNoise) -> Solver:
    """Return the schedule's solver for one window.

    Args:
        schedule: Of the window.
        history: What it remembered when the window was left; empty at its beginning.
        noise: What each step adds, for a solver that adds noise.
    """
    if schedule.solver == "unipc":
        return UniPC(schedule.sigmas, history)
    return Lcm(schedule.sigmas, noise) if schedule.solver == "lcm" else Euler(schedule.sigmas)
