"""Count a model folder's parameters by component from its files' headers, in milliseconds. Without torch."""

from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....presets import ModelPreset
from ..base import ModelSize
from ..weights.folders import numbers_by_tensor, parameters
from .folder import TEXT_ENCODER, TRANSFORMER, VAE, config, single_file

LAYERS, WIDTH = 28, 2048
FULL = ModelSize(
    unet=1_923_385_472,
    vae=1_246_913_522,
    image_encoder=0,
    channels=WIDTH,
    vae_channels=128,
    factor=32,
    attention=LAYERS * WIDTH,
    family="ltx",
    text_encoder=4_762_310_656,
)
"""LTX-Video 2B 0.9.8, computed from its configurations; the single file's 6.34 GB of 16-bit numbers agree."""


def model_size(folder: Path, preset: ModelPreset) -> ModelSize:
    """Measure a folder; what is not there (a model still to be downloaded) counts as the 2B model."""
    single = single_file(folder)
    counted = _counted(single) if single else {part: parameters(folder / part) for part in (VAE, TRANSFORMER)}
    transformer, vae = _config(folder, TRANSFORMER), _config(folder, VAE)
    width = int(transformer.get("num_attention_heads", 32)) * int(transformer.get("attention_head_dim", 64))
    channels: list[int] = vae.get("decoder_block_out_channels") or [256]
    factors: list[int] = vae.get("upsample_factor") or [2]
    return ModelSize(
        unet=counted[TRANSFORMER] or FULL.unet,
        vae=counted[VAE] or FULL.vae,
        image_encoder=0,
        channels=width,
        vae_channels=channels[0] // factors[0],
        factor=32,
        width=preset.width,
        height=preset.height,
        frames=preset.frames,
        attention=width * int(transformer.get("num_layers", LAYERS)),
        family="ltx",
        text_encoder=parameters(folder / TEXT_ENCODER) or FULL.text_encoder,
    )


def _config(folder: Path, part: str) -> dict[str, Any]:
    try:
        return config(folder, part)
    except ModelError:
        return {}


def _counted(path: Path) -> dict[str, int]:
    """Count a file's numbers: those of the VAE by their names in a single file, the others as the transformer's."""
    found = {VAE: 0, TRANSFORMER: 0}
    for name, numbers in numbers_by_tensor(path).items():
        found[VAE if name.startswith("vae.") else TRANSFORMER] += numbers
    return found
