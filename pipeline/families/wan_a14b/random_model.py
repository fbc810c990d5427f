"""Build a random, untrained Wan 2.2 I2V-A14B of the real architecture, in diffusers' folder format: for tests."""

from pathlib import Path
from typing import Any

from ..wan.folder import IMAGE_CHANNELS, STRIDE
from ..wan.random_model import TRANSFORMER as WAN_TRANSFORMER
from ..wan.random_model import write
from ..weights.folders import build_once
from .folder import BOUNDARY, CHANNELS, EXPERTS, SIDE

WIDTH, HEIGHT = 48, 32
"""Native size in pixels: small, for its VAE works on whole pixels."""

TRANSFORMER: dict[str, Any] = WAN_TRANSFORMER | {"in_channels": IMAGE_CHANNELS, "out_channels": CHANNELS}
VAE: dict[str, Any] = {
    "base_dim": 2,
    "z_dim": CHANNELS,
    "latents_mean": [0.05 * i for i in range(CHANNELS)],
    "latents_std": [0.5 + 0.05 * i for i in range(CHANNELS)],
    "dim_mult": [1, 1, 1, 1],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True, True],
    "scale_factor_spatial": SIDE,
    "scale_factor_temporal": STRIDE,
}


def build(folder: Path, *, seed: int = 0, **own: Any) -> Path:
    """Write the model to `folder` in one move, unless it is there. 0.1 M parameters, 0.5 MB.

    Args:
        folder: Where it goes; its parents are made.
        seed: Of the weights; the caller's random state stays as it is.
        own: Keys of its preset.

    Returns:
        `folder`.
    """
    denoisers: dict[str, dict[str, Any]] = dict.fromkeys(EXPERTS, TRANSFORMER)
    index = {"_class_name": "WanImageToVideoPipeline", "boundary_ratio": BOUNDARY}
    own = {"width": WIDTH, "height": HEIGHT, **own}
    return build_once(folder, lambda half: write(half, seed, denoisers, VAE, index, own))
