"""Count a model folder's parameters by component from its files' headers, in milliseconds. Without torch."""

from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....presets import ModelPreset
from ..base import ModelSize
from ..weights.folders import parameters
from .folder import FRAMES, HEIGHT, SIDE, TEXT_ENCODER, TRANSFORMER, VAE, WIDTH, config

LAYERS, HEADS, HEAD, DECODER = 30, 24, 128, 256
FULL = ModelSize(
    unet=4_999_787_712,
    vae=704_688_668,
    image_encoder=0,
    channels=HEADS * HEAD,
    vae_channels=DECODER,
    factor=SIDE,
    width=WIDTH,
    height=HEIGHT,
    frames=FRAMES,
    attention=LAYERS * HEADS * HEAD,
    family="wan",
    text_encoder=5_680_910_336,
)
"""Wan 2.2 TI2V-5B, computed from its configurations (tests/unit/pipeline/families/wan/test_folder.py)."""


def model_size(folder: Path, preset: ModelPreset) -> ModelSize:
    """Measure a folder; what is not there (a model still to be downloaded) counts as the 5B model."""
    transformer, vae = _config(folder, TRANSFORMER), _config(folder, VAE)
    width = int(transformer.get("num_attention_heads", HEADS)) * int(transformer.get("attention_head_dim", HEAD))
    return ModelSize(
        unet=parameters(folder / TRANSFORMER) or FULL.unet,
        vae=parameters(folder / VAE) or FULL.vae,
        image_encoder=0,
        channels=width,
        vae_channels=int(vae.get("decoder_base_dim") or vae.get("base_dim") or DECODER),
        factor=SIDE,
        width=preset.width,
        height=preset.height,
        frames=preset.frames,
        attention=width * int(transformer.get("num_layers", LAYERS)),
        family="wan",
        text_encoder=parameters(folder / TEXT_ENCODER) or FULL.text_encoder,
    )


def _config(folder: Path, part: str) -> dict[str, Any]:
    try:
        return config(folder, part)
    except ModelError:
        return {}
