"""Compute D(x; σ) of a flow-matching transformer with a noise level for each token.

The transformer's output is v = dx/dσ, so D = x - σ·v. Known frames are clean at every step: their tokens have noise
level 0.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import torch

from ..base import Denoiser, Window
from ..steps.residual_cache import ResidualCache


class FlowDenoiser(Denoiser):
    """Base of a window's `Denoiser`; a subclass provides the transformer's inputs.

    Attributes:
        blocks: Name of the transformer's attribute that holds its blocks.
    """

    blocks: ClassVar[str]

    def __init__(self, window: Window) -> None:
        """Prepare one window."""
        self.schedule = window.schedule
        self.pinned = window.pinned
        self._guidance, self._above = window.guidance, window.effort.guidance_above
        self._cache = ResidualCache(window.effort, self.schedule.steps, self.blocks)
        self._velocity = torch.zeros(0)

    def is_guided(self, sigma: torch.Tensor) -> bool:
        """Tell whether guidance is on at noise level σ."""
        return self._guidance.on and float(sigma) > self._above

    def run(self, transformer: Any, sigma: torch.Tensor, branch: str, **inputs: Any) -> torch.Tensor:
        """Run the transformer, or reuse cached features of it. Return its output in its own layout.

        Args:
            transformer: On its device.
            sigma: One of the schedule's levels.
            branch: Cache key of its inputs: the same for the prompt at each level, another for the negative prompt.
            **inputs: The transformer's arguments.
        """
        return self._cache.run(transformer, self.schedule.step(sigma), branch, **inputs)

    @abstractmethod
    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Compute v of x (1, frames, channels, h, w) at noise level σ, a new tensor of that shape."""

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the denoised estimate D = x - σ·v, float32, of x (1, frames, channels, h, w)."""
        velocity = self.velocity(x, sigma)
        velocity[:, : self.pinned] = 0.0
        self._velocity = velocity
        return x.float() - sigma * velocity

    def times(self, sigma: torch.Tensor, frames: int, tokens: int, device: torch.device) -> torch.Tensor:
        """Return each token's timestep, (1, frames · tokens), float32; 0 in known frames.

        Args:
            sigma: One of the schedule's levels.
            frames: Latent frames of the window.
            tokens: Tokens of a frame.
            device: Of the result.
        """
        free = torch.ones((1, frames, tokens), device=device)
        free[:, : self.pinned] = 0.0
        return self.schedule.timestep(sigma).to(device) * free.flatten(1)

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return known latents unchanged: the transformer takes them without noise."""
        return x0

    def slope(self, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v of the last pass: (x - D)/σ would round differently."""
        return self._velocity
