"""Hold the frames that a window shares with the earlier one to that window's latents, at every noise level."""

from dataclasses import dataclass

import torch

from ..families.base import Denoiser


@dataclass(frozen=True)
class Pin:
    """Known latents of the window's first frames, and the noise that they carry during sampling.

    Attributes:
        known: (1, overlap, channels, h, w). After the last step (σ = 0) the frames equal these exactly.
        noise: Unit noise of the same shape.
    """

    known: torch.Tensor
    noise: torch.Tensor

    def hold(self, x: torch.Tensor, sigma: torch.Tensor, denoiser: Denoiser) -> torch.Tensor:
        """Return x with its first frames replaced by the known latents at noise level σ."""
        shared = denoiser.noised(self.known, self.noise, sigma) if sigma > 0 else self.known
        return torch.cat([shared.to(x.dtype), x[:, self.known.shape[1] :]], dim=1)
