"""Forecast a plain video with a model, also before the model is downloaded. Without torch."""

from ..errors import FanslymotionError
from ..pipeline.families.base import Forecast
from ..pipeline.families.forecast import duration_text, forecast, with_worker_start
from ..pipeline.memory.request_plan import plan_request
from ..pipeline.request import VideoRequest
from ..presets import ModelPreset, Presets
from ..settings import Settings
from .find import find_model

WIDE = (1600, 900)
"""Pixels of a photo of the usual shape."""


def first_cost(preset: ModelPreset, presets: Presets, settings: Settings) -> Forecast | None:
    """Forecast a video of the first length at the first size; None if it cannot be planned.

    Args:
        preset: The model's, whose files may be missing.
        presets: All presets.
        settings: The folders of models and measurements.
    """
    resolution, seconds = first_size(presets)
    request = VideoRequest(resolution, seconds, next(iter(presets.qualities)), preset.name)
    try:
        plan = plan_request(request, WIDE, find_model(preset.name, presets, settings), presets, settings)
    except FanslymotionError:  # what is wrong is said where the model is used
        return None
    return with_worker_start(forecast(plan))


def first_size(presets: Presets) -> tuple[str, int]:
    """Return the first resolution's name, and the first length in seconds."""
    return next(iter(presets.resolutions)), next(iter(presets.durations.values())).seconds


def first_video(preset: ModelPreset, presets: Presets, settings: Settings) -> str:
    """Return a sentence with the time of `first_cost`; "" if it cannot be planned."""
    expected = first_cost(preset, presets, settings)
    if expected is None:
        return ""
    resolution, seconds = first_size(presets)
    why = ", on its processor" if expected.device == "cpu" else ""
    return f"A {seconds} s video at {resolution} takes about {duration_text(expected.seconds)} on this computer{why}."
