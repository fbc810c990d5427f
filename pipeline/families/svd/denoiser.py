"""Compute D(x; σ) of Stable Video Diffusion: its preconditioning (EDM), its guidance, its UNet.

Stable Video Diffusion is a v-prediction model: with F the UNet's raw output, c_in = 1/√(σ²+1), c_skip = 1/(σ²+1),
c_out = -σ/√(σ²+1), c_noise = ln(σ)/4.

The arithmetic follows diffusers' EulerDiscreteScheduler and StableVideoDiffusionPipeline operation by operation, so
that the same seed gives the very same latents (tests/unit/pipeline/families/svd/test_parity.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..base import Denoiser, NoiseSchedule
from ..guidance import Guidance
from ..steps.effort import EVERYTHING, Effort
from .deep_cache import DeepCache


@dataclass(frozen=True)
class Inputs:
    """What the UNet gets beside the noisy latents.

    Attributes:
        embedding: (1, 1, width), of CLIP.
        image: (1, channels, h, w), not scaled.
        time_ids: (1, 3), `MicroConditioning.ids`.
    """

    embedding: torch.Tensor
    image: torch.Tensor
    time_ids: torch.Tensor


class SvdDenoiser(Denoiser):
    """The `Denoiser` of one window."""

    def __init__(
        self,
        unet: Callable[[], Any],
        schedule: NoiseSchedule,
        inputs: Inputs,
        guidance: Guidance,
        effort: Effort = EVERYTHING,
    ) -> None:
        """Prepare one window.

        Args:
            unet: gives the UNet where it computes; called at every pass, so that offloaded weights come only then.
            schedule: the levels that will be asked for, and what the UNet is told at each.
            inputs: what the UNet gets beside the noisy latents.
            guidance: over the window's frames.
            effort: which steps compute less than everything.
        """
        self._unet = unet
        self._guidance = guidance
        self._effort = effort
        self._inputs = inputs
        self._cache = DeepCache(effort, schedule.steps)
        self._schedule = schedule

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the denoised estimate D = c_out·F + c_skip·x, float32, of x (1, frames, channels, h, w)."""
        raw = self._network(x / (sigma**2 + 1) ** 0.5, float(sigma))
        return raw * (-sigma / (sigma**2 + 1) ** 0.5) + x.to(torch.float32) / (sigma**2 + 1)

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return clean latents as they are at noise level σ > 0: x₀ + σ·ε."""
        return x0 + sigma.to(x0.dtype) * noise

    def _network(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return F: the image latent beside every frame, and guidance where it is on."""
        inputs = self._inputs
        embedding = inputs.embedding
        image = inputs.image.unsqueeze(1).repeat(1, x.shape[1], 1, 1, 1)
        if not self._guidance.on or sigma <= self._effort.guidance_above:
            return self._run("given", x, sigma, image, embedding)
        # Without the photo: a zero embedding and a zero image.
        no_embedding, no_image = torch.zeros_like(embedding), torch.zeros_like(image)
        if self._guidance.two_passes:
            without = self._run("without", x, sigma, no_image, no_embedding)
            given = self._run("given", x, sigma, image, embedding)
        else:
            both = self._run(
                "both", torch.cat([x, x]), sigma, torch.cat([no_image, image]), torch.cat([no_embedding, embedding])
            )
            without, given = both.chunk(2)
        return self._guidance.combined(given, without, self._guidance.scale(x))

    def _run(
        self, branch: str, x: torch.Tensor, sigma: float, image: torch.Tensor, embedding: torch.Tensor
    ) -> torch.Tensor:
        return self._cache.run(
            self._unet(),
            self._schedule.step(sigma),
            branch,
            torch.cat([x, image], dim=2),
            self._schedule.timestep(sigma),
            encoder_hidden_states=embedding,
            added_time_ids=self._inputs.time_ids.repeat(len(x), 1),
        )
