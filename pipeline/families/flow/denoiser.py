"""Compute D(x; σ) of a flow-matching transformer whose tokens have a noise level each.

With v the transformer's output, which is dx/dσ, D = x - σ·v. Known frames are clean at every step: their tokens have
noise level 0.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import torch

from ..base import Denoiser, Window
from ..steps.residual_cache import ResidualCache


class FlowDenoiser(Denoiser):
    """The `Denoiser` of one window, but for what the transformer is given.

    Attributes:
        blocks: The transformer's attribute that holds its blocks.
    """

    blocks: ClassVar[str]

    def __init__(self, window: Window) -> None:
        """Prepare one window: the levels that will be asked for, and what the transformer is told at each."""
        self.schedule = window.schedule
        self.pinned = window.pinned
        self._guidance, self._above = window.guidance, window.effort.guidance_above
        self._cache = ResidualCache(window.effort, self.schedule.steps, self.blocks)
        self._velocity = torch.zeros(0)

    def is_guided(self, sigma: torch.Tensor) -> bool:
        """Return whether guidance is on at noise level σ."""
        return self._guidance.on and float(sigma) > self._above

    def run(self, transformer: Any, sigma: torch.Tensor, branch: str, **inputs: Any) -> torch.Tensor:
        """Return what the transformer gives, in its own form.

        Args:
            transformer: Where it computes.
            sigma: One of the schedule's levels.
            branch: A name for its inputs, the same at each level: the prompt's, the negative prompt's.
            **inputs: What it takes.
        """
        return self._cache.run(transformer, self.schedule.step(sigma), branch, **inputs)

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
        return self.schedule.timestep(sigma).to(device) * free.flatten(1)

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return known latents as they are: the transformer takes them without noise."""
        return x0

    def slope(self, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v of the last pass, unrounded: (x - D)/σ would differ from it in the last digit."""
        return self._velocity
