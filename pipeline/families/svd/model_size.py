"""Count a model folder's parameters by component from its files' headers, in milliseconds. Without torch."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....safetensors_header import tensor_shapes
from ..base import ModelSize
from ..weights.folders import known_json, tensor_files
from .folder import PATCH_DECODER

ATTENTION = 5 + 5 * 2 / 16 + 5 * 4 / 256 + 4 / 4096
"""`ModelSize.attention` of SVD's UNet, as a multiple of its channels: 5, 5, 5 and 1 blocks on its four levels."""

FULL = ModelSize(
    family="svd",
    unet=1_524_623_082,
    vae=97_742_847,
    channels=320,
    vae_channels=128,
    factor=8,
    width=1024,
    height=576,
    frames=25,
    attention=320 * ATTENTION,
    image_encoder=632_076_800,
)
"""Stable Video Diffusion XT."""


def model_size(folder: Path, width: int, height: int, frames: int) -> ModelSize:
    """Measure a folder in diffusers' format; what is not there (a model still to be downloaded) counts as full size.

    Args:
        folder: The model's.
        width: The preset's native size, pixels.
        height: The preset's native size, pixels.
        frames: The preset's frames of a window.
    """
    patch_decoder = parameters(folder / PATCH_DECODER)
    unet, vae = (known_json(folder / part / "config.json") for part in ("unet", "vae"))
    channels: list[int] = unet.get("block_out_channels") or [FULL.channels]
    vae_channels: list[int] = vae.get("block_out_channels") or [FULL.vae_channels] * 4
    return replace(
        FULL,
        unet=parameters(folder / "unet") or FULL.unet,
        vae=(parameters(folder / "vae") or FULL.vae) + patch_decoder,
        image_encoder=parameters(folder / "image_encoder") or FULL.image_encoder,
        channels=channels[0],
        vae_channels=vae_channels[0],
        patch_decoder=patch_decoder,
        factor=2 ** (len(vae_channels) - 1),
        width=width,
        height=height,
        frames=frames,
        attention=_attention(unet) or channels[0] * ATTENTION,
    )


def _attention(unet: dict[str, Any]) -> float:
    """See `ModelSize.attention`; 0 when the configuration does not say. An up block has a layer more."""
    widths, layers = unet.get("block_out_channels"), unet.get("layers_per_block", 2)
    down, up = unet.get("down_block_types"), unet.get("up_block_types")
    if not (isinstance(widths, list) and isinstance(down, list) and isinstance(up, list) and isinstance(layers, int)):
        return 0.0
    total = widths[-1] / 16 ** (len(widths) - 1)
    for level, (width, one, other) in enumerate(zip(widths, down, reversed(up), strict=False)):
        blocks = layers * one.startswith("CrossAttn") + (layers + 1) * other.startswith("CrossAttn")
        total += blocks * width / 16**level
    return total


def parameters(folder: Path) -> int:
    """Count the numbers in a component's weights, in one of their variants.

    0 when there are none or they cannot be read.
    """
    files = tensor_files(folder)
    half = [path for path in files if ".fp16" in path.name]
    try:
        return sum(math.prod(shape) for path in half or files for shape in tensor_shapes(path).values())
    except (OSError, ValueError):
        return 0
