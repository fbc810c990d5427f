"""Compute a finished video's size, frames and rate from its request. Without torch."""

from dataclasses import dataclass

from ..presets import ModelPreset, Presets
from .families import family
from .media.sizes import output_size, sampling_size
from .request import VideoRequest


@dataclass(frozen=True)
class Output:
    """Size, length and frame rate of the finished video.

    Attributes:
        width: Pixels.
        height: Pixels.
        sampled: Number of sampled frames.
        interpolation: Frames of the finished video per sampled frame.
        fps: Frames per second of the finished video.
    """

    width: int
    height: int
    sampled: int
    interpolation: int
    fps: int

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        return self.width, self.height

    @property
    def shown(self) -> int:
        """Return the number of frames of the finished video."""
        return self.sampled * self.interpolation


def resolve_output(
    request: VideoRequest, photo_size: tuple[int, int], model: ModelPreset | None, presets: Presets
) -> Output:
    """Compute the finished video's size, length and frame rate.

    Args:
        request: The settings.
        photo_size: Width and height of the photo, pixels.
        model: The model's preset. None (it was removed) = the frame rates of length and quality.
        presets: All presets.

    Raises:
        PresetError: The request names an unknown preset.
    """
    duration, quality = presets.duration(request.seconds), presets.quality(request.quality)
    rate = presets.rate(model, duration, quality)
    width, height = output_size(photo_size, presets.resolution(request.resolution), request.shape)
    return Output(width, height, rate.frames(duration.seconds), rate.interpolation, rate.fps * rate.interpolation)


def sampled_size(output: Output, model: ModelPreset) -> tuple[int, int]:
    """Return the sampling size (width, height) in pixels, before any memory plan."""
    return sampling_size(output.size, model, family(model.family).geometry.multiple)
