"""Ask the transformer whose turn it is for v, as diffusers' WanImageToVideoPipeline does (wan_a14b/test_parity.py)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ..base import Window
from ..flow.folder import TRANSFORMER
from ..flow.levels import TRAIN_STEPS
from ..wan.denoiser import Inputs, WanDenoiser
from .folder import TRANSFORMER_2


class A14BDenoiser(WanDenoiser):
    """The `Denoiser` of one window. What is known of it comes through channels of its own, and every frame is noisy."""

    def __init__(
        self,
        expert: Callable[[str], Any],
        inputs: Inputs,
        window: Window,
        condition: torch.Tensor,
        boundary: float,
    ) -> None:
        """Prepare one window.

        Args:
            expert: Gives a transformer, by its name, where it computes; called at every pass.
            inputs: The prompts.
            window: That is sampled.
            condition: (1, 4 + channels, latent frames, h, w); of a shorter window the first frames count.
            boundary: Levels from this on are the first transformer's, 0..1.
        """
        super().__init__(partial(expert, TRANSFORMER), inputs, replace(window, pinned=0))
        self._expert, self._condition = expert, condition
        self._boundary = boundary * TRAIN_STEPS

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return v with guidance, in the transformer's numbers as in the stock pipeline; see `FlowDenoiser`."""
        known = self._condition[:, :, : x.shape[1]].to(x.device)
        latents = torch.cat([x.transpose(1, 2), known], dim=1).to(self._inputs.prompt.dtype)
        time = self.schedule.timestep(sigma)
        name = TRANSFORMER if float(time) >= self._boundary else TRANSFORMER_2
        return self.guided(partial(self._expert, name), latents, time.to(x.device).expand(1), sigma, name)

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the picture that the window begins with, noisy: what is known of x0 holds four frames' motion."""
        channels = x0.shape[2]
        picture = self._condition[:, -channels:, : x0.shape[1]].transpose(1, 2).to(x0.device)
        return (1 - sigma) * picture + sigma * noise
