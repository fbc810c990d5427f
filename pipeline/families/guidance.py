"""Define classifier-free guidance, with a scale for each frame."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance (arXiv 2207.12598) with a linear ramp over the window's frames.

    Attributes:
        first: Scale at the first frame.
        last: Scale at the last frame; guidance is off if it is ≤ 1.
        two_passes: Compute the two branches one after the other, with half the memory; equal within rounding.
        rescale: See `presets.schema.Sampling.guidance_rescale`.
    """

    first: float
    last: float
    two_passes: bool = False
    rescale: float = 0.0

    @property
    def on(self) -> bool:
        """Whether the unconditional branch is computed, too."""
        return self.last > 1

    def capped(self, cap: float | None) -> "Guidance":
        """Return the same ramp with no value above `cap`; None = no cap."""
        if cap is None:
            return self
        return replace(self, first=min(self.first, cap), last=min(self.last, cap))

    def scale(self, like: torch.Tensor) -> torch.Tensor:
        """Return the ramp as (1, frames, 1, 1, 1), of the type and on the device of `like`."""
        ramp = torch.linspace(self.first, self.last, like.shape[1]).unsqueeze(0).to(like.device, like.dtype)
        return ramp[..., None, None, None]

    def number(self, like: torch.Tensor) -> float | torch.Tensor:
        """Return the scale as a number if all frames share it: a 16-bit tensor would round it."""
        return self.last if self.first == self.last else self.scale(like)

    def combined(self, given: torch.Tensor, without: torch.Tensor, scale: float | torch.Tensor) -> torch.Tensor:
        """Return the guided estimate, rounded as in diffusers' pipelines.

        Args:
            given: The network's output with the conditioning; its first dimension is the batch.
            without: The same, without the conditioning or with the negative prompt.
            scale: A number, or a tensor that broadcasts over them.
        """
        found = without + scale * (given - without)
        if not self.rescale:
            return found
        inside = list(range(1, found.ndim))
        plain = found * (given.std(dim=inside, keepdim=True) / found.std(dim=inside, keepdim=True))
        return self.rescale * plain + (1 - self.rescale) * found
