"""Define classifier-free guidance: how much more of the conditioning a denoised estimate gets, frame by frame."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance (arXiv 2207.12598), a straight line over the window's frames.

    Attributes:
        first: Scale at the first frame.
        last: Scale at the last frame; guidance is off when it is ≤ 1.
        two_passes: Compute the two branches one after the other, with half the memory; equal within rounding.
    """

    first: float
    last: float
    two_passes: bool = False

    @property
    def on(self) -> bool:
        """Whether the network must be asked without the photo, too."""
        return self.last > 1

    def capped(self, cap: float | None) -> "Guidance":
        """Return the same ramp with no value above `cap`; None = no cap."""
        if cap is None:
            return self
        return Guidance(min(self.first, cap), min(self.last, cap), self.two_passes)

    def scale(self, like: torch.Tensor) -> torch.Tensor:
        """Return the ramp as (1, frames, 1, 1, 1), of the type and on the device of `like`."""
        ramp = torch.linspace(self.first, self.last, like.shape[1]).unsqueeze(0).to(like.device, like.dtype)
        return ramp[..., None, None, None]
