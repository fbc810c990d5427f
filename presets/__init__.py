"""Presets as data: resolutions, durations, qualities and models in TOML files, and the loader that checks them."""

from .loader import LivePresets, Presets, load_presets
from .schema import Duration, LatentRGB, ModelPreset, Quality, Resolution, Sampling

__all__ = [
    "Duration",
    "LatentRGB",
    "LivePresets",
    "ModelPreset",
    "Presets",
    "Quality",
    "Resolution",
    "Sampling",
    "load_presets",
]
