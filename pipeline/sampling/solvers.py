"""Choose the step from one noise level to the next."""

from collections.abc import Mapping

import torch

from ..families.base import NoiseSchedule
from .euler import Euler, Solver
from .unipc import UniPC


def solver(schedule: NoiseSchedule, history: Mapping[str, torch.Tensor]) -> Solver:
    """Return the schedule's solver for one window.

    Args:
        schedule: Of the window.
        history: What it remembered when the window was left; empty at its beginning.
    """
    return UniPC(schedule.sigmas, history) if schedule.solver == "unipc" else Euler(schedule.sigmas)
