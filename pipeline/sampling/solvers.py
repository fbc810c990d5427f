"""Choose the step from one noise level to the next."""

from collections.abc import Mapping

import torch

from ..families.base import NoiseSchedule
from .euler import Euler, Solver
from .lcm import Lcm, StepNoise
from .unipc import UniPC


def solver(schedule: NoiseSchedule, history: Mapping[str, torch.Tensor], noise: StepNoise) -> Solver:
    """Create the solver of a noise schedule for one window.

    Args:
        schedule: The window's noise schedule.
        history: The solver's state in a checkpoint; empty at the start of a window.
        noise: Returns the noise of each step, for a solver that adds noise.
    """
    if schedule.solver == "unipc":
        return UniPC(schedule.sigmas, history)
    return Lcm(schedule.sigmas, noise) if schedule.solver == "lcm" else Euler(schedule.sigmas)
