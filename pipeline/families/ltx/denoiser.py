"""Compute D(x; σ) of LTX-Video: a flow-matching transformer over tokens, each with a noise level of its own.

With v the transformer's output, which is dx/dσ, D = x - σ·v. Known frames are clean at every step and are told to the
transformer as such: their tokens have noise level 0, as in diffusers' LTXImageToVideoPipeline
(tests/unit/pipeline/families/ltx/test_parity.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..base import Denoiser, NoiseSchedule


@dataclass(frozen=True)
class Inputs:
    """What the transformer gets beside the noisy latents.

    Attributes:
        words: (1, tokens, width), of the text encoder.
        mask: (1, tokens), 1 for a token of the text, 0 for padding.
        scale: Seconds to a latent frame, and pixels to a latent pixel along both sides.
        pinned: Latent frames at the beginning that are known.
    """

    words: torch.Tensor
    mask: torch.Tensor
    scale: tuple[float, float, float]
    pinned: int


class LtxDenoiser(Denoiser):
    """The `Denoiser` of one window."""

    def __init__(self, transformer: Callable[[], Any], schedule: NoiseSchedule, inputs: Inputs) -> None:
        """Prepare one window.

        Args:
            transformer: Gives the transformer where it computes; called at every pass.
            schedule: The levels that will be asked for, and what the transformer is told at each.
            inputs: What it gets beside the noisy latents.
        """
        self._transformer = transformer
        self._inputs = inputs
        self._times = {float(sigma): time for sigma, time in zip(schedule.sigmas[:-1], schedule.timesteps, strict=True)}
        self._velocity = torch.zeros(0)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the denoised estimate D = x - σ·v, float32, of x (1, frames, channels, h, w)."""
        inputs, (_, frames, channels, height, width) = self._inputs, x.shape
        # Channels outermost in memory, as the stock pipeline has them: another layout is rounded otherwise in bf16.
        tokens = x.transpose(1, 2).contiguous().permute(0, 2, 3, 4, 1).flatten(1, 3)
        known = torch.zeros((1, frames, height * width), device=x.device)
        known[:, : inputs.pinned] = 1.0
        time = self._times[float(sigma)].to(x.device) * (1 - known.flatten(1))
        raw = self._transformer()(
            hidden_states=tokens.to(inputs.words.dtype),
            encoder_hidden_states=inputs.words,
            timestep=time,
            encoder_attention_mask=inputs.mask,
            num_frames=frames,
            height=height,
            width=width,
            rope_interpolation_scale=inputs.scale,
            return_dict=False,
        )[0].float()
        velocity = raw.reshape(1, frames, height, width, channels).permute(0, 1, 4, 2, 3).contiguous()
        velocity[:, : inputs.pinned] = 0.0
        self._velocity = velocity
        return x.float() - sigma * velocity

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return known latents as they are: the transformer takes them without noise."""
        return x0

    def slope(self, x: torch.Tensor, denoised: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v of the last pass, unrounded: (x - D)/σ would differ from it in the last digit."""
        return self._velocity
