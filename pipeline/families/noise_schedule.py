"""Hold the noise levels of a sampling run, and what the network is told at each. No torch at import."""

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
        timesteps: What the network is told at each level but the last, (steps,).
        init_sigma: Scale of the latents at the start, which are unit noise times this; a tensor with one number.
        solver: How to step from one level to the next (`presets.schema.Sampling.solver`).
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
        """Return what the network is told at a noise level. sigma: as for `step`."""
        return self.timesteps[self.step(sigma)]
