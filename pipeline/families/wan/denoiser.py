"""Ask Wan's transformer for v, as diffusers' WanImageToVideoPipeline does (…/families/wan/test_parity.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..base import Window
from ..flow.denoiser import FlowDenoiser

PATCH = 2
"""Latent pixels to a token, along each side."""


@dataclass(frozen=True)
class Inputs:
    """What the transformer gets beside the noisy latents.

    Attributes:
        words: (1, TOKENS, width), of the prompt.
        negative: The same, of the negative prompt.
    """

    words: torch.Tensor
    negative: torch.Tensor


class WanDenoiser(FlowDenoiser):
    """The `Denoiser` of one window."""

    blocks = "blocks"

    def __init__(self, transformer: Callable[[], Any], inputs: Inputs, window: Window) -> None:
        """Prepare one window.

        Args:
            transformer: Gives the transformer where it computes; called at every pass.
            inputs: What it gets beside the noisy latents.
            window: That is sampled.
        """
        super().__init__(window)
        self._transformer = transformer
        self._inputs = inputs

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v with guidance, in the transformer's numbers as in the stock pipeline; see `FlowDenoiser`."""
        _, frames, _, height, width = x.shape
        # Channels outermost in memory, as the stock pipeline has them: another layout is rounded otherwise in bf16.
        latents = x.transpose(1, 2).contiguous().to(self._inputs.words.dtype)
        times = self.times(sigma, frames, (height // PATCH) * (width // PATCH), x.device)
        return self.guided(self._transformer, latents, times, sigma)

    def guided(
        self,
        transformer: Callable[[], Any],
        latents: torch.Tensor,
        times: torch.Tensor,
        sigma: torch.Tensor,
        name: str = "",
    ) -> torch.Tensor:
        """Return v, (1, frames, channels, h, w), with guidance where it is on.

        Args:
            transformer: Gives the transformer where it computes; called at every pass.
            latents: What it gets, (1, channels, frames, h, w), in its numbers.
            times: What it is told of the noise level.
            sigma: The noise level.
            name: The transformer's, of a model that has several.
        """

        def given(branch: str, words: torch.Tensor) -> torch.Tensor:
            inputs = {"hidden_states": latents, "timestep": times, "encoder_hidden_states": words}
            return self.run(transformer(), sigma, f"{name} {branch}", **inputs).transpose(1, 2).contiguous()

        found = given("words", self._inputs.words)
        if self.is_guided(sigma):
            without = given("negative", self._inputs.negative)
            found = self._guidance.combined(found, without, self._guidance.number(found))
        return found
