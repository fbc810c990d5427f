"""Hand pixels to a video VAE, and take them from it."""

import numpy as np
import torch
from PIL import Image

from ..nan_checks import check_decoded


def photo_pixels(photo: Image.Image, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return a photo as a video of one frame, (1, 3, 1, h, w), -1..1, as diffusers' pipelines prepare it."""
    pixels = np.asarray(photo)[None].astype(np.float32) / 255.0
    # Channels last in memory, as the stock pipelines have it: another layout takes other kernels, and rounds otherwise.
    given = 2.0 * torch.from_numpy(pixels.transpose(0, 3, 1, 2)) - 1.0
    return given.to(device=device, dtype=dtype).unsqueeze(2)


def frames_of(pixels: torch.Tensor, begin: int = 0, end: int | None = None) -> np.ndarray:
    """Return decoded pixels (3, frames, h, w), -1..1, as (n, h, w, 3) uint8.

    Args:
        pixels: As decoded.
        begin: First frame that is wanted.
        end: Behind the last one.

    Raises:
        NotFinite: They hold NaN or infinity.
    """
    pixels = pixels.float()
    check_decoded(pixels)
    pixels = (pixels * 0.5 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels[:, begin:end].permute(1, 2, 3, 0).cpu().numpy())
