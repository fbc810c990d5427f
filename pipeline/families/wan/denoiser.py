"""Compute v with Wan's transformer as diffusers' WanImageToVideoPipeline does (tests: wan/test_parity.py)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..base import Window
from ..flow.denoiser import FlowDenoiser

PATCH = 2
"""Latent pixels per token, along each side."""


@dataclass(frozen=True)
class Inputs:
    """Inputs of the transformer besides the noisy latents.

    Attributes:
        prompt: Embeddings of the prompt, (1, TOKENS, width).
        negative: Embeddings of the negative prompt, likewise.
    """

    prompt: torch.Tensor
    negative: torch.Tensor


class WanDenoiser(FlowDenoiser):
    """The `Denoiser` of one window."""

    blocks = "blocks"

    def __init__(self, transformer: Callable[[], Any], inputs: Inputs, window: Window) -> None:
        """Prepare one window.

        Args:
            transformer: Returns the transformer on its device; called at every pass.
            inputs: Its other inputs.
            window: The window to sample.
        """
        super().__init__(window)
        self._transformer = transformer
        self._inputs = inputs

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Compute v with guidance, in the transformer's dtype as in the stock pipeline; see `FlowDenoiser`."""
        _, frames, _, height, width = x.shape
        # Same memory layout as the stock pipeline: channels outermost. Another one rounds differently in bf16.
        latents = x.transpose(1, 2).contiguous().to(self._inputs.prompt.dtype)
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
        """Compute v, (1, frames, channels, h, w), with guidance where it is on.

        Args:
            transformer: Returns the transformer on its device; called at every pass.
            latents: Its input, (1, channels, frames, h, w), in its dtype.
            times: Its timesteps.
            sigma: The noise level.
            name: The transformer's name, in a model that has several.
        """

        def predict(branch: str, prompt: torch.Tensor) -> torch.Tensor:
            inputs = {"hidden_states": latents, "timestep": times, "encoder_hidden_states": prompt}
            return self.run(transformer(), sigma, f"{name} {branch}", **inputs).transpose(1, 2).contiguous()

        v = predict("prompt", self._inputs.prompt)
        if self.is_guided(sigma):
            v = self._guidance.combined(v, predict("negative", self._inputs.negative), self._guidance.number(v))
        return v
