"""Tell the transformers the picture that a window begins with: its latents, those of the empty frames, and a mask."""

from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image

from ..flow.pixels import photo_pixels
from ..wan.folder import STRIDE
from ..wan.vae import encode_video, scaled


def encode_beginning(vae: Any, photo: Image.Image, latents: int, device: torch.device) -> torch.Tensor:
    """Encode a video of which the first frame alone is known, and the others are grey.

    Latents of fewer frames are the first ones of these: the encoder looks back only.

    Args:
        vae: AutoencoderKLWan where it computes.
        photo: The first frame, RGB.
        latents: Latent frames of the window.
        device: Where the VAE computes.

    Returns:
        (1, latents, channels, h, w), not scaled.
    """
    return encode_video(vae, _frames(photo_pixels(photo, device, vae.dtype).contiguous(), latents))


def encode_ends(vae: Any, first: torch.Tensor, last: torch.Tensor, end: int, latents: int) -> torch.Tensor:
    """Encode a video of which the first and another frame are known, and the others are grey.

    Args:
        vae: AutoencoderKLWan where it computes.
        first: (1, 3, 1, h, w), -1..1, where the VAE computes.
        last: The same, of the frame that is the last one of a latent frame.
        end: That latent frame, from 1 on.
        latents: Latent frames of the window.

    Returns:
        (1, latents, channels, h, w), not scaled.
    """
    frames = list(_frames(first, latents))
    frames[end] = torch.cat([frames[end][:, :, 1:], last], dim=2)
    return encode_video(vae, frames)


def _frames(first: torch.Tensor, latents: int) -> Iterator[torch.Tensor]:
    yield first
    empty = first.new_zeros(first.shape).repeat_interleave(STRIDE, dim=2)
    for _ in range(latents - 1):
        yield empty


def condition(vae: Any, known: torch.Tensor, end: int | None = None) -> torch.Tensor:
    """Return what the transformers get beside the noisy latents, (1, 4 + channels, latent frames, h, w), float32.

    Args:
        vae: AutoencoderKLWan, for its scale.
        known: (1, latent frames, channels, h, w), as `encode_beginning` or `encode_ends` give them.
        end: The latent frame whose last frame is known.
    """
    picture = scaled(vae, known).transpose(1, 2)
    mask = picture.new_zeros((1, STRIDE, *picture.shape[2:]))
    mask[:, :, 0] = 1.0
    if end is not None:
        mask[:, -1, end] = 1.0
    return torch.cat([mask, picture], dim=1)
