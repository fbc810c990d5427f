"""Prepare a photo for CLIP as the stock pipeline does: resized with a blur against aliasing, and normalised.

Any other resampling is another embedding. diffusers' own functions are part of its pipeline, whose import costs more
than all models'.

Source: diffusers' `_resize_with_antialiasing`, after scikit-image's `resize` and kornia.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from ...weights.folders import read_json

CLIP_SIDE = 224
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's own training pictures, by channel, 0..1."""


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of a channel's values, 0..1, for each channel."""

    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (n, 3, height, width) with mean 0 and deviation 1. pixels: the same, from 0 to 1."""
        mean, deviation = (
            torch.tensor(values, dtype=pixels.dtype)[:, None, None] for values in (self.mean, self.deviation)
        )
        return (pixels - mean) / deviation


def read_normalisation(file: Path) -> Normalisation:
    """Read `preprocessor_config.json`.

    Raises:
        ModelError: It cannot be read.
    """
    known = read_json(file)
    return Normalisation(tuple(known.get("image_mean", MEAN)), tuple(known.get("image_std", DEVIATION)))


def resize(pixels: torch.Tensor, side: int = CLIP_SIDE) -> torch.Tensor:
    """Resize (1, channels, height, width) to a square of `side` pixels."""
    height, width = pixels.shape[-2:]
    blurred = _blur(_blur(pixels, width / side, -1), height / side, -2)
    return functional.interpolate(blurred, size=(side, side), mode="bicubic", align_corners=True)


def _blur(pixels: torch.Tensor, factor: float, axis: int) -> torch.Tensor:
    """Blur along an axis as far as making it `factor` times smaller needs."""
    sigma = max((factor - 1.0) / 2.0, 0.001)
    taps = int(max(4.0 * sigma, 3))
    taps += 1 - taps % 2
    at = torch.arange(taps, dtype=pixels.dtype) - taps // 2
    kernel = torch.exp(-at.pow(2.0) / (2 * torch.tensor([[sigma]], dtype=pixels.dtype).pow(2.0)))
    kernel = kernel / kernel.sum(-1, keepdim=True)
    channels, padding = pixels.shape[1], (taps // 2, taps // 2)
    if axis == -1:
        padding, kernel = (*padding, 0, 0), kernel[:, None, None, :]
    else:
        padding, kernel = (0, 0, *padding), kernel[:, None, :, None]
    padded = functional.pad(pixels, padding, mode="reflect")
    return functional.conv2d(padded, kernel.expand(channels, -1, -1, -1).contiguous(), groups=channels)
