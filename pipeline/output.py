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
        width: in pixels.
        height: in pixels.
        sampled: frames that the model gives.
        interpolation: frames shown for each of them.
        fps: frames shown a second.
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
    """Return what a request comes to.

    Args:
        request: the request.
        photo_size: width and height in pixels.
        model: its model's preset; None where that is gone, which leaves the length's and the quality's own rate.
        presets: all presets.

    Raises:
        PresetError: the request names an unknown preset.
    """
    duration, quality = presets.duration(request.seconds), presets.quality(request.quality)
    rate = presets.rate(model, duration, quality)
    width, height = output_size(photo_size, presets.resolution(request.resolution), request.shape)
    return Output(width, height, rate.frames(duration.seconds), rate.interpolation, rate.fps * rate.interpolation)


def drawn_size(output: Output, model: ModelPreset) -> tuple[int, int]:
    """Return the (width, height) in pixels that the model draws for an output, before any memory plan."""
    return sampling_size(output.size, model, family(model.family).geometry.multiple)
