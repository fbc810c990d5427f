"""Decode latents through the temporal VAE, a chunk at a time: memory does not grow with the clip's length."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..nan_checks import check_decoded
from .chunks import chunk_ranges, halo_of


def decode(renderer: Any, latents: torch.Tensor, chunk: int, halo: int | None = None) -> Iterator[np.ndarray]:
    """Decode latents to frames, always in the same chunks for the same arguments.

    Args:
        renderer: The loaded model.
        latents: (1, frames, channels, h, w), on any device.
        chunk: The most frames decoded together.
        halo: Frames of a chunk that are decoded along on both sides and thrown away. The decoder's convolutions in
            time see nothing beyond a chunk, so that its outermost frames differ a little, which reads as a jump.
            None = 1, or 0 in small chunks.

    Yields:
        (n, height, width, 3) uint8, in order.

    Raises:
        NotFinite: The VAE gave NaN or infinity.
    """
    total = latents.shape[1]
    if halo is None:
        halo = halo_of(total, chunk)
    for first, end in chunk_ranges(total, chunk - 2 * halo):
        low, high = max(0, first - halo), min(total, end + halo)
        frames = decode_frames(renderer, latents[:, low:high])
        yield frames[first - low : end - low]


@torch.no_grad()
def decode_frames(renderer: Any, latents: torch.Tensor) -> np.ndarray:
    """Decode (1, n, channels, h, w) at once to (n, height, width, 3) uint8."""
    vae = renderer.bring("vae")
    flat = latents.flatten(0, 1).to(renderer.device, next(vae.decoder.parameters()).dtype)
    flat = 1 / vae.config.scaling_factor * flat
    pixels = vae.decode(flat, num_frames=len(flat)).sample.float()
    check_decoded(pixels)
    pixels = (pixels * 0.5 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())
