"""UniPC of order 2 for flow matching, in the notation of Zhao et al. 2023 (arXiv 2302.04867).

This is the variant B₂(h) = eʰ - 1 in data prediction, with the corrector at every step and lower orders at both ends.
Its results equal diffusers' UniPCMultistepScheduler (tests/unit/pipeline/sampling/test_unipc.py). In flow matching
α = 1 - σ.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from ..families.base import Denoiser
from .euler import Solver

CORRECTED, LAST, BEFORE = "corrected", "denoised", "denoised_before"
"""Names of what is remembered: x of the last step as its corrector left it, and D of the last two steps."""


class UniPC(Solver):
    """Predict x at the next level, and correct it there with D, without another pass of the network."""

    def __init__(self, sigmas: torch.Tensor, history: Mapping[str, torch.Tensor]) -> None:
        """Prepare a window.

        Args:
            sigmas: (steps + 1), float32 on the CPU, falling from below 1 to 0.
            history: The solver's state in a checkpoint; empty at the start of a window.
        """
        self._sigmas = sigmas
        self._lambdas = torch.log(1 - sigmas) - torch.log(sigmas)  # half the logarithm of signal to noise
        self._history = dict(history)

    @property
    def history(self) -> Mapping[str, torch.Tensor]:
        """Return `CORRECTED`, `LAST` and, from the second step on, `BEFORE`, float32; see `Solver`."""
        return dict(self._history)

    def step(self, i: int, x: torch.Tensor, denoised: torch.Tensor, denoiser: Denoiser) -> torch.Tensor:
        """Return x at σ[i + 1]; see `Solver`."""
        if i:
            x = self._correct(i, denoised)
        kept = self._history
        self._history = {CORRECTED: x, LAST: denoised} | ({BEFORE: kept[LAST]} if i else {})
        return self._predict(i, x)

    def _order(self, i: int) -> int:
        return min(2, len(self._sigmas) - 1 - i, i + 1)

    def _predict(self, i: int, x: torch.Tensor) -> torch.Tensor:
        """Step by UniP from σ[i] to σ[i + 1], with D at σ[i] and, for order 2, at σ[i - 1]."""
        at = self._between(i)
        last = self._history[LAST]
        found = at.linear(x, last)
        if self._order(i) == 2:
            slope = (self._history[BEFORE] - last) / self._ratio(i)
            found = found - at.weight * (0.5 * slope)
        return found

    def _correct(self, i: int, denoised: torch.Tensor) -> torch.Tensor:
        """Step by UniC from σ[i - 1] to σ[i] again, now that D at σ[i] is known."""
        at = self._between(i - 1)
        last = self._history[LAST]
        found = at.linear(self._history[CORRECTED], last)
        if self._order(i - 1) == 1:
            return found - at.weight * (0.5 * (denoised - last))
        ratio = self._ratio(i - 1)
        before, now = torch.linalg.solve(torch.stack([torch.ones(2), torch.stack([ratio, torch.ones(())])]), at.moments)
        slope = (self._history[BEFORE] - last) / ratio
        return found - at.weight * (before * slope + now * (denoised - last))

    def _ratio(self, i: int) -> torch.Tensor:
        """Return r of the previous step, relative to step i."""
        return (self._lambdas[i - 1] - self._lambdas[i]) / (self._lambdas[i + 1] - self._lambdas[i])

    def _between(self, i: int) -> "_Between":
        sigma, sigma_next = self._sigmas[i], self._sigmas[i + 1]
        h = -(self._lambdas[i + 1] - self._lambdas[i])
        decay = torch.expm1(h)
        first = decay / h - 1
        second = first / h - 0.5
        return _Between(
            ratio=sigma_next / sigma,
            weight=(1 - sigma_next) * decay,
            moments=torch.stack([first / decay, second * 2 / decay]),
        )


class _Between(NamedTuple):
    """Coefficients of a step, as CPU tensors: σ' / σ, α'·B(h), and the right side of the corrector's equations."""

    ratio: torch.Tensor
    weight: torch.Tensor
    moments: torch.Tensor

    def linear(self, x: torch.Tensor, denoised: torch.Tensor) -> torch.Tensor:
        """Return x at the next level if D stays constant: the exact solution of the linear part."""
        return self.ratio * x - self.weight * denoised
