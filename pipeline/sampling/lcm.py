"""Denoise and re-noise at each step, for models that are distilled to a few steps.

Multistep consistency sampling (Song et al. 2023, arXiv 2303.01469, algorithm 1), called LCM (arXiv 2310.04378) by most
programs. Models distilled with DMD2 (Yin et al. 2024, arXiv 2405.14867) are trained for it. This is its form for flow
matching, where x = (1 - σ)·x₀ + σ·ε.
"""

from collections.abc import Callable, Mapping, Sequence

import torch

from ..families.base import Denoiser
from .euler import Solver

StepNoise = Callable[[int, Sequence[int]], torch.Tensor]
"""Gives the unit noise, float32, that a step adds: its number, 0-based, and the shape. The same at each call."""


class Lcm(Solver):
    """Take D as the clean latents, and add new noise up to the next level."""

    history: Mapping[str, torch.Tensor] = {}

    def __init__(self, sigmas: torch.Tensor, noise: StepNoise) -> None:
        """Prepare a window.

        Args:
            sigmas: (steps + 1), falling from at most 1 to 0.
            noise: Returns the noise of each step.
        """
        self._sigmas = sigmas
        self._noise = noise

    def step(self, i: int, x: torch.Tensor, denoised: torch.Tensor, denoiser: Denoiser) -> torch.Tensor:
        """Return x at σ[i + 1]; see `Solver`."""
        following = self._sigmas[i + 1]
        if following == 0:
            return denoised
        return (1.0 - following) * denoised + following * self._noise(i, x.shape)
