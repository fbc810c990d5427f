"""The denoising loop of one window, in the notation of Karras et al. 2022 (EDM, arXiv 2206.00364).

σ is the noise level, x the noisy latents, F the network's raw output, D(x; σ) the denoised estimate. Stable Video
Diffusion is a v-prediction model: c_in = 1/√(σ²+1), c_skip = 1/(σ²+1), c_out = -σ/√(σ²+1), c_noise = ln(σ)/4.

The arithmetic follows diffusers' EulerDiscreteScheduler and StableVideoDiffusionPipeline operation by operation, so
that the same seed gives the very same latents (tests/unit/pipeline/families/svd/test_parity.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..families.svd.schedule import NoiseSchedule

StepCallback = Callable[[int, torch.Tensor, torch.Tensor], None]
"""Called after each step with (steps done, x, D). What it raises ends the loop and passes through."""


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance, a straight line from `first` to `last` over the window's frames; off when last ≤ 1.

    two_passes: the two branches one after the other, with half the memory; equal within rounding.
    """

    first: float
    last: float
    two_passes: bool = False

    @property
    def on(self) -> bool:
        return self.last > 1

    def capped(self, cap: float | None) -> "Guidance":
        if cap is None:
            return self
        return Guidance(min(self.first, cap), min(self.last, cap), self.two_passes)

    def scale(self, like: torch.Tensor) -> torch.Tensor:
        """(1, frames, 1, 1, 1)."""
        ramp = torch.linspace(self.first, self.last, like.shape[1]).unsqueeze(0).to(like.device, like.dtype)
        return ramp[..., None, None, None]


@dataclass(frozen=True)
class Inputs:
    """What the UNet gets beside the noisy latents.

    embedding: (1, 1, width). image: (1, channels, h, w), not scaled. time_ids: (1, 3).
    """

    embedding: torch.Tensor
    image: torch.Tensor
    time_ids: torch.Tensor


@dataclass(frozen=True)
class Pin:
    """The window's first frames as the earlier window left them, and the noise they carry on the way there.

    known, noise: (1, overlap, channels, h, w). After the last step (σ = 0) the frames are `known`, exactly.
    """

    known: torch.Tensor
    noise: torch.Tensor

    def hold(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        shared = self.known + sigma.to(self.known.dtype) * self.noise if sigma > 0 else self.known
        return torch.cat([shared.to(x.dtype), x[:, self.known.shape[1] :]], dim=1)


@torch.no_grad()
def denoise(
    unet: Any,
    x: torch.Tensor,
    schedule: NoiseSchedule,
    inputs: Inputs,
    guidance: Guidance,
    *,
    first: int = 0,
    pin: Pin | None = None,
    on_step: StepCallback = lambda step, x, denoised: None,
) -> torch.Tensor:
    """From x at noise level σ[first] to clean latents: Euler steps along the probability-flow ODE (EDM, algorithm 1).

    x: (1, frames, channels, h, w). first: steps already done (a resumed window). pin: frames that stay what they are.
    """
    predict = _Network(unet, inputs, guidance, x)
    for i in range(first, schedule.steps):
        sigma, sigma_next = schedule.sigmas[i], schedule.sigmas[i + 1]
        raw = predict(x / (sigma**2 + 1) ** 0.5, schedule.timesteps[i])
        x = x.to(torch.float32)
        denoised = raw * (-sigma / (sigma**2 + 1) ** 0.5) + x / (sigma**2 + 1)  # D = c_out·F + c_skip·x
        slope = (x - denoised) / sigma  # dx/dσ, EDM eq. 3 with s(t) = 1
        x = (x + slope * (sigma_next - sigma)).to(raw.dtype).contiguous()
        if pin is not None:
            x = pin.hold(x, sigma_next)
        on_step(i + 1, x, denoised)
    return x


class _Network:
    """F of one window: the image latent beside every frame, and guidance where it is on."""

    def __init__(self, unet: Any, inputs: Inputs, guidance: Guidance, x: torch.Tensor) -> None:
        self.unet = unet
        self.guidance = guidance
        self.time_ids = inputs.time_ids
        self.embedding = inputs.embedding
        self.image = inputs.image.unsqueeze(1).repeat(1, x.shape[1], 1, 1, 1)
        if guidance.on:
            # Without the photo: a zero embedding and a zero image.
            self.no_embedding = torch.zeros_like(self.embedding)
            self.no_image = torch.zeros_like(self.image)
            self.scale = guidance.scale(x)

    def __call__(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        if not self.guidance.on:
            return self._run(x, t, self.image, self.embedding, self.time_ids)
        if self.guidance.two_passes:
            without = self._run(x, t, self.no_image, self.no_embedding, self.time_ids)
            given = self._run(x, t, self.image, self.embedding, self.time_ids)
        else:
            both = self._run(
                torch.cat([x, x]),
                t,
                torch.cat([self.no_image, self.image]),
                torch.cat([self.no_embedding, self.embedding]),
                torch.cat([self.time_ids, self.time_ids]),
            )
            without, given = both.chunk(2)
        return without + self.scale * (given - without)

    def _run(self, x, t, image, embedding, time_ids) -> torch.Tensor:
        return self.unet(
            torch.cat([x, image], dim=2),
            t,
            encoder_hidden_states=embedding,
            added_time_ids=time_ids,
            return_dict=False,
        )[0]
