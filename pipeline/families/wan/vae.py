"""Encode the photo, and decode latents through the causal video VAE, a latent frame at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..flow.pixels import frames_of, photo_pixels
from .folder import STRIDE
from .tiles import tile_side


@torch.no_grad()
def encode(vae: Any, photo: Image.Image, device: torch.device) -> torch.Tensor:
    """Return the photo's most likely latent, (1, channels, h, w), not scaled."""
    return vae.encode(photo_pixels(photo, device, vae.dtype)).latent_dist.mode()[:, :, 0].contiguous()


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
    pieces = _streamed(vae, z) if chunk >= STRIDE else _tiled(vae, z, tile_side(chunk))
    for pixels in pieces:
        yield frames_of(pixels)


def _streamed(vae: Any, z: torch.Tensor) -> Iterator[torch.Tensor]:
    """Decode latent frame by latent frame. The decoder looks back only, into what its convolutions have kept.

    These are the numbers of decoding everything at once, which does the same and joins the frames on the device.
    """
    from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d, unpatchify

    kept: list[Any] = [None] * sum(isinstance(module, WanCausalConv3d) for module in vae.decoder.modules())
    for i in range(z.shape[2]):
        with torch.no_grad():
            one = vae.post_quant_conv(z[:, :, i : i + 1])
            found = vae.decoder(one, feat_cache=kept, feat_idx=[0], first_chunk=i == 0)
            if vae.config.patch_size is not None:
                found = unpatchify(found, patch_size=vae.config.patch_size)
        yield found.float().clamp(-1.0, 1.0)[0]


def _tiled(vae: Any, z: torch.Tensor, side: int) -> Iterator[torch.Tensor]:
    """Decode tiles that overlap by a quarter, each through all frames, and blend them; a small picture is one tile."""
    before = {name: getattr(vae, name) for name in vars(vae) if name.startswith("tile_sample_")}
    vae.enable_tiling(side, side, side * 3 // 4, side * 3 // 4)
    try:
        with torch.no_grad():
            found = vae.decode(z).sample[0]
    finally:
        vae.disable_tiling()
        vars(vae).update(before)
    yield from found.split(STRIDE, dim=1)
