"""Ask LTX-Video's transformer for v, as diffusers' LTXImageToVideoPipeline does (…/families/ltx/test_parity.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..base import NoiseSchedule
from ..flow.denoiser import FlowDenoiser


@dataclass(frozen=True)
class Inputs:
    """What the transformer gets beside the noisy latents.

    Attributes:
        words: (1, tokens, width), of the text encoder.
        mask: (1, tokens), 1 for a token of the text, 0 for padding.
        scale: Seconds to a latent frame, and pixels to a latent pixel along both sides.
    """

    words: torch.Tensor
    mask: torch.Tensor
    scale: tuple[float, float, float]


class LtxDenoiser(FlowDenoiser):
    """The `Denoiser` of one window."""

    def __init__(self, transformer: Callable[[], Any], schedule: NoiseSchedule, inputs: Inputs, pinned: int) -> None:
        """Prepare one window.

        Args:
            transformer: Gives the transformer where it computes; called at every pass.
            schedule: See `FlowDenoiser`.
            inputs: What it gets beside the noisy latents.
            pinned: See `FlowDenoiser`.
        """
        super().__init__(schedule, pinned)
        self._transformer = transformer
        self._inputs = inputs

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v, float32; see `FlowDenoiser`."""
        inputs, (_, frames, channels, height, width) = self._inputs, x.shape
        # Channels outermost in memory, as the stock pipeline has them: another layout is rounded otherwise in bf16.
        tokens = x.transpose(1, 2).contiguous().permute(0, 2, 3, 4, 1).flatten(1, 3)
        raw = self._transformer()(
            hidden_states=tokens.to(inputs.words.dtype),
            encoder_hidden_states=inputs.words,
            timestep=self.times(sigma, frames, height * width, x.device),
            encoder_attention_mask=inputs.mask,
            num_frames=frames,
            height=height,
            width=width,
            rope_interpolation_scale=inputs.scale,
            return_dict=False,
        )[0].float()
        return raw.reshape(1, frames, height, width, channels).permute(0, 1, 4, 2, 3).contiguous()
