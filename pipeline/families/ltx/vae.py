"""Encode the photo, and decode latents through the video VAE, a chunk at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..flow.pixels import frames_of, photo_pixels
from ..noise import draw, purpose_generator
from .chunks import chunks

DECODE_TIMESTEP, DECODE_NOISE = 0.05, 0.025
"""What the decoder is told, and how much noise it is given: it does the last denoising step itself. The values of
Lightricks' configurations of the distilled 0.9.8 models."""


@torch.no_grad()
def encode(vae: Any, photo: Image.Image, device: torch.device, generator: torch.Generator) -> torch.Tensor:
    """Sample the photo's latent, (1, channels, h, w), not scaled. The draw is the generator's next, as in diffusers."""
    given = photo_pixels(photo, device, vae.dtype)
    return vae.encode(given).latent_dist.sample(generator)[:, :, 0].contiguous()


def scaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Scale latents (1, frames, channels, h, w) as the transformer works on them, float32."""
    latents = latents.float()
    return (latents - _row(vae.latents_mean, latents)) * 1.0 / _row(vae.latents_std, latents)


def unscaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Scale latents (1, frames, channels, h, w) back to the VAE's own numbers, float32."""
    latents = latents.float()
    return latents * _row(vae.latents_std, latents) / vae.config.scaling_factor + _row(vae.latents_mean, latents)


def _row(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.view(1, 1, -1, 1, 1).to(like.device, like.dtype)


@torch.no_grad()
def decode(vae: Any, latents: torch.Tensor, device: torch.device, most: int, seed: int) -> Iterator[np.ndarray]:
    """Decode latents to frames, always in the same chunks for the same arguments.

    Args:
        vae: AutoencoderKLLTXVideo where it computes.
        latents: (1, latent frames, channels, h, w), scaled, on any device.
        device: Where the VAE computes.
        most: Latent frames decoded together, halos included.
        seed: Of the decoder's noise.

    Yields:
        (n, height, width, 3) uint8, in order.

    Raises:
        NotFinite: The VAE gave NaN or infinity.
    """
    dtype, time = vae.dtype, None
    latents = unscaled(vae, latents.to(device)).transpose(1, 2).to(dtype)
    if vae.config.timestep_conditioning:
        # Over the whole clip at once: a chunk's noise does not depend on where chunks begin.
        noise = draw(latents.shape, purpose_generator(seed, "decode"), torch.float32, device).to(dtype)
        time = torch.tensor([DECODE_TIMESTEP], device=device, dtype=dtype)
        share = torch.tensor(DECODE_NOISE, device=device, dtype=dtype)
        latents = (1 - share) * latents + share * noise
    for chunk in chunks(latents.shape[2], most):
        pixels = vae.decode(latents[:, :, chunk.low : chunk.high].contiguous(), time).sample[0]
        yield frames_of(pixels, *chunk.frames)
