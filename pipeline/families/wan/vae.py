"""Encode photos, and decode latents, through the causal video VAEs of Wan, a latent frame at a time."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..flow.pixels import frames_of, photo_pixels
from .folder import STRIDE
from .tiles import spans, tile_side


@torch.no_grad()
def encode(vae: Any, photo: Image.Image, device: torch.device) -> torch.Tensor:
    """Return the photo's most likely latent, (1, channels, h, w), not scaled."""
    return vae.encode(photo_pixels(photo, device, vae.dtype)).latent_dist.mode()[:, :, 0].contiguous()


@torch.no_grad()
def encode_video(vae: Any, frames: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the most likely latents of a video, (1, latent frames, channels, h, w), not scaled.

    The encoder looks back only, into what its convolutions have kept: these are the numbers of encoding everything at
    once, without the whole video in memory.

    Args:
        vae: AutoencoderKLWan of Wan 2.1, where it computes.
        frames: (1, 3, 1, h, w), -1..1, then (1, 3, 4, h, w) for each further latent frame.
    """
    kept: list[Any] = [None] * _causal_layers(vae.encoder)
    found = [vae.encoder(pixels.to(vae.dtype), feat_cache=kept, feat_idx=[0]) for pixels in frames]
    mean, _ = vae.quant_conv(torch.cat(found, dim=2)).chunk(2, dim=1)
    return mean.transpose(1, 2).contiguous()


def scaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Scale latents (1, frames, channels, h, w) as the transformer works on them, float32."""
    latents = latents.float()
    return (latents - _row(vae.config.latents_mean, latents)) * (1.0 / _row(vae.config.latents_std, latents))


def unscaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Scale latents (1, frames, channels, h, w) back to the VAE's own numbers, float32."""
    latents = latents.float()
    return latents / (1.0 / _row(vae.config.latents_std, latents)) + _row(vae.config.latents_mean, latents)


def _row(values: list[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values).view(1, 1, -1, 1, 1).to(like.device)


def decode(vae: Any, latents: torch.Tensor, device: torch.device, chunk: int) -> Iterator[np.ndarray]:
    """Decode latents to frames.

    Args:
        vae: AutoencoderKLWan where it computes.
        latents: (1, latent frames, channels, h, w), scaled, on any device.
        device: Where the VAE computes.
        chunk: Frames of which the decoder may hold the pixels at once: of four, as many as a latent frame gives, or of
            fewer, which is a picture in tiles.

    Yields:
        (n, height, width, 3) uint8, in order.

    Raises:
        NotFinite: The VAE gave NaN or infinity.
    """
    z = unscaled(vae, latents.to(device)).transpose(1, 2).to(vae.dtype).contiguous()
    factor = vae.config.scale_factor_spatial
    side = tile_side(chunk, factor * z.shape[-1], factor * z.shape[-2])
    if side is not None:
        yield from _tiled(vae, z, side // factor, factor)
        return
    for pixels in _streamed(vae, z):
        yield frames_of(pixels)


def _streamed(vae: Any, z: torch.Tensor) -> Iterator[torch.Tensor]:
    """Decode latent frame by latent frame. The decoder looks back only, into what its convolutions have kept.

    These are the numbers of decoding everything at once, which does the same and joins the frames on the device.
    """
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    kept: list[Any] = [None] * _causal_layers(vae.decoder)
    for i in range(z.shape[2]):
        with torch.no_grad():
            one = vae.post_quant_conv(z[:, :, i : i + 1])
            found = vae.decoder(one, feat_cache=kept, feat_idx=[0], first_chunk=i == 0)
            if vae.config.patch_size is not None:
                found = unpatchify(found, patch_size=vae.config.patch_size)
        yield found[0]


def _causal_layers(network: Any) -> int:
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d

    return sum(isinstance(module, WanCausalConv3d) for module in network.modules())


def _tiled(vae: Any, z: torch.Tensor, most: int, factor: int) -> Iterator[np.ndarray]:
    """Decode tiles of `most` latent pixels a side, each through all frames, into a video in RAM, and blend edges."""
    _, _, count, height, width = z.shape
    video = np.zeros((1 + STRIDE * (count - 1), factor * height, factor * width, 3), np.uint8)
    for down in spans(height, most, factor):
        for across in spans(width, most, factor):
            weights = (down.weights[:, None] * across.weights)[..., None]
            begin = 0
            for pixels in _streamed(vae, z[..., down.start : down.end, across.start : across.end].contiguous()):
                new = frames_of(pixels)
                there = video[begin : begin + len(new), down.pixels, across.pixels]
                there[:] = np.rint(there + weights * (new.astype(np.float32) - there))
                begin += len(new)
    for begin in range(0, len(video), STRIDE):
        yield video[begin : begin + STRIDE]
