"""Run the denoising loop of one window, in the notation of Karras et al. 2022 (EDM, arXiv 2206.00364).

σ is the noise level, x the noisy latents, D(x; σ) the denoised estimate. The loop does not depend on a network: a
family's `Denoiser` computes D and adds noise to clean latents; a `Solver` steps from one level to the next.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch

from ..families.base import Denoiser
from ..families.guidance import Guidance as Guidance  # tests and benches take it from the loop it is for
from .pins import Pin

StepCallback = Callable[[int, torch.Tensor, torch.Tensor], None]
"""Called after each step with (steps done, x, D). What it raises ends the loop and passes through."""


class Solver(Protocol):
    """Step from one noise level to the next."""

    @property
    def history(self) -> Mapping[str, torch.Tensor]:
        """Return the state to resume a window from, together with x: what the solver keeps of earlier steps."""
        ...

    def step(self, i: int, x: torch.Tensor, denoised: torch.Tensor, denoiser: Denoiser) -> torch.Tensor:
        """Return x at σ[i + 1].

        Args:
            i: The step, 0-based.
            x: (1, frames, channels, h, w) at σ[i], float32.
            denoised: D(x; σ[i]), float32.
            denoiser: The denoiser that computed D.
        """
        ...


class Euler(Solver):
    """Step along the probability-flow ODE (EDM, arXiv 2206.00364, algorithm 1 without its second-order correction).

    With v-prediction dx/dσ = (x - D)/σ. With flow matching v = ε - x₀ is the same number, so the update is the same.
    """

    history: Mapping[str, torch.Tensor] = {}

    def __init__(self, sigmas: torch.Tensor) -> None:
        self._sigmas = sigmas

    def step(self, i: int, x: torch.Tensor, denoised: torch.Tensor, denoiser: Denoiser) -> torch.Tensor:
        """Return x at σ[i + 1]; see `Solver`."""
        sigma, sigma_next = self._sigmas[i], self._sigmas[i + 1]
        return x + denoiser.slope(x, denoised, sigma) * (sigma_next - sigma)


@torch.no_grad()
def denoise(
    denoiser: Denoiser,
    x: torch.Tensor,
    sigmas: torch.Tensor,
    *,
    first: int = 0,
    pin: Pin | None = None,
    solver: Solver | None = None,
    on_step: StepCallback = lambda step, x, denoised: None,
) -> torch.Tensor:
    """Denoise x from noise level σ[first] to clean latents.

    Args:
        denoiser: D(x; σ) of this window.
        x: (1, frames, channels, h, w).
        sigmas: (steps + 1), falling to 0.
        first: Steps already done (a resumed window).
        pin: Frames that are held to known latents; None = none.
        solver: Steps from level to level; None = `Euler`.
        on_step: Called after each step with (steps done, x, D).

    Returns:
        Latents of the shape and dtype of `x`.
    """
    dtype, solver = x.dtype, solver or Euler(sigmas)
    for i in range(first, len(sigmas) - 1):
        denoised = denoiser(x, sigmas[i])
        x = solver.step(i, x.to(torch.float32), denoised, denoiser).to(dtype).contiguous()
        if pin is not None:
            x = pin.hold(x, sigmas[i + 1], denoiser)
        on_step(i + 1, x, denoised)
    return x
