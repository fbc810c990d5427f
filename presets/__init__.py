"""Hold presets as data: resolutions, durations, qualities, models, upscalers in TOML files; and load them."""

from .loader import LivePresets, Presets, load_presets
from .purposes import PURPOSES, Purpose
from .schema import (
    UNKNOWN,
    Duration,
    HubPreset,
    Idea,
    LatentRGB,
    Mode,
    ModelPreset,
    Quality,
    Rate,
    Resolution,
    Reuse,
    Sampling,
    UpscalerPreset,
)

__all__ = [
    "PURPOSES",
    "UNKNOWN",
    "Duration",
    "HubPreset",
    "Idea",
    "LatentRGB",
    "LivePresets",
    "Mode",
    "ModelPreset",
    "Presets",
    "Purpose",
    "Quality",
    "Rate",
    "Resolution",
    "Reuse",
    "Sampling",
    "UpscalerPreset",
    "load_presets",
]
