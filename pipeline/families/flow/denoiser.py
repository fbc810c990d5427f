"""Compute D(x; σ) of a flow-matching transformer whose tokens have a noise level each.

With v the transformer's output, which is dx/dσ, D = x - σ·v. Known frames are clean at every step: their tokens have
noise level 0.
"""

from abc import abstractmethod

import torch

from ..base import Denoiser, NoiseSchedule


class FlowDenoiser(Denoiser):
    """The `Denoiser` of one window, but for the pass of the transformer."""

    def __init__(self, schedule: NoiseSchedule, pinned: int) -> None:
        """Prepare one window.

        Args:
            schedule: The levels that will be asked for, and what the transformer is told at each.
            pinned: Latent frames at the beginning that are known.
        """
        self.pinned = pinned
        self._times = {float(sigma): time for sigma, time in zip(schedule.sigmas[:-1], schedule.timesteps, strict=True)}
        self._velocity = torch.zeros(0)

    @abstractmethod
    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v of x (1, frames, channels, h, w) at noise level σ, a new tensor of that shape."""

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the denoised estimate D = x - σ·v, float32, of x (1, frames, channels, h, w)."""
        velocity = self.velocity(x, sigma)
        velocity[:, : self.pinned] = 0.0
        self._velocity = velocity
        return x.float() - sigma * velocity

    def times(self, sigma: torch.Tensor, frames: int, tokens: int, device: torch.device) -> torch.Tensor:
        """Return what each token is told of the noise level, (1, frames · tokens), float32; 0 in known frames.

        Args:
            sigma: One of the schedule's levels.
            frames: Of the window.
            tokens: Of a frame.
            device: Of the result.
        """
        free = torch.ones((1, frames, tokens), device=device)
        free[:, : self.pinned] = 0.0
        return self._times[float(sigma)].to(device) * free.flatten(1)

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return known latents as they are: the transformer takes them without noise."""
        return x0

    def slope(self, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v of the last pass, unrounded: (x - D)/σ would differ from it in the last digit."""
        return self._velocity
