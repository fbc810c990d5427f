"""Define the noise levels of a sampling run, and the network's timestep at each. No torch at import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ...presets.options import SolverName


@dataclass(frozen=True)
class NoiseSchedule:
    """The noise levels of a sampling run.

    Attributes:
        sigmas: Noise levels, (steps + 1,), float32 on the CPU, falling; the last is 0.
        timesteps: The network's input at each level but the last, (steps,).
        init_sigma: Scale of the initial latents relative to unit noise; a tensor with one element.
        solver: Name of the solver (`presets.schema.Sampling.solver`).
    """

    sigmas: Tensor
    timesteps: Tensor
    init_sigma: Tensor
    solver: SolverName = "euler"

    @property
    def steps(self) -> int:
        """Return the number of denoising steps."""
        return len(self.timesteps)

    def step(self, sigma: Tensor | float) -> int:
        """Return the step, 0-based, that starts at a noise level. sigma: one of `sigmas`, but not the last."""
        return self.sigmas[:-1].tolist().index(float(sigma))

    def timestep(self, sigma: Tensor | float) -> Tensor:
        """Return the network's timestep at a noise level. sigma: as for `step`."""
        return self.timesteps[self.step(sigma)]
