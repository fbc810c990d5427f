"""Tell how long a plain video takes with a model here, also before the model is downloaded. Without torch."""

from ..errors import FanslymotionError
from ..pipeline.families.forecast import duration_text, forecast, with_worker_start
from ..pipeline.memory.forecast import plan_request
from ..pipeline.request import VideoRequest
from ..presets import ModelPreset, Presets
from ..settings import Settings
from .find import find_model

WIDE = (1600, 900)
"""Pixels of a photo of the usual shape."""


def first_video(preset: ModelPreset, presets: Presets, settings: Settings) -> str:
    """Return a sentence with the time of the first length at the first size; "" where that cannot be told.

    Args:
        preset: Of the model, whose files may be missing.
        presets: All of them.
        settings: Where models and measurements are.
    """
    resolution, seconds = next(iter(presets.resolutions)), next(iter(presets.durations.values())).seconds
    request = VideoRequest(resolution, seconds, next(iter(presets.qualities)), preset.name)
    try:
        plan = plan_request(request, WIDE, find_model(preset.name, presets, settings), presets, settings)
    except FanslymotionError:  # what is wrong is said where the model is used
        return ""
    expected = with_worker_start(forecast(plan))
    why = ", on its processor" if expected.device == "cpu" else ""
    return f"A {seconds} s video at {resolution} takes about {duration_text(expected.seconds)} on this computer{why}."
