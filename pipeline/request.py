"""What a job is asked to do and what it gave back: frozen, and storable as JSON."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..errors import BadInput
from ..messages import Message, msg

MAX_SEED = 2**32 - 1

Fit = Literal["crop", "pad"]


@dataclass(frozen=True)
class VideoRequest:
    """The settings of one video, independent of the photo's and the result's place.

    `None` means "as the model's preset says". Units: seconds of video, frames per second.

    resolution, quality: preset names (`480p`, `standard`). seconds: a duration preset's seconds.
    model: a preset's name, or the path of a diffusers-format SVD folder.
    motion_bucket_id: 1..255, more is more motion. noise_aug_strength: 0..1, noise added to the photo.
    steps: 1..100 denoising steps. fps: the frame rate the model is conditioned on, 5..30.
    fit: `crop` fills the frame, `pad` keeps the whole photo on a blurred or plain background.
    detail: give the frames the photo's own detail where the model draws smaller or softer than the output.
    upscaler: a preset's name: where the photo gives no detail, this network draws some. None enlarges plainly there.
    """

    resolution: str = "480p"
    seconds: int = 6
    quality: str = "standard"
    model: str = "mini"
    seed: int = 0
    motion_bucket_id: int | None = None
    steps: int | None = None
    noise_aug_strength: float | None = None
    fps: int | None = None
    fit: Fit = "crop"
    detail: bool = True
    upscaler: str | None = None

    def __post_init__(self) -> None:
        _check_range("seed", self.seed, 0, MAX_SEED, int)
        _check_range("motion_bucket_id", self.motion_bucket_id, 1, 255, int)
        _check_range("steps", self.steps, 1, 100, int)
        _check_range("noise_aug_strength", self.noise_aug_strength, 0.0, 1.0, (int, float))
        _check_range("fps", self.fps, 5, 30, int)
        if not isinstance(self.detail, bool):
            raise BadInput(msg("detail is {value!r}; it must be true or false", value=self.detail))
        if not isinstance(self.upscaler, str | None):
            raise BadInput(msg("upscaler is {value!r}; it must be an upscaler's name or nothing", value=self.upscaler))
        if self.fit not in ("crop", "pad"):
            raise BadInput(
                msg(
                    "fit is {value!r}; it must be 'crop' (fill the frame) or 'pad' (keep the whole photo)",
                    value=self.fit,
                )
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "VideoRequest":
        """Raise BadInput on an unknown key, so that a typo never passes as a default."""
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise BadInput(
                msg(
                    "unknown setting {name!r}; known are {known}",
                    name=sorted(unknown)[0],
                    known=", ".join(f.name for f in fields(cls)),
                )
            )
        return cls(**data)


@dataclass(frozen=True)
class VideoResult:
    """A finished file. frames: count at `fps` frames per second; size in pixels; seconds of computing per stage."""

    path: Path
    width: int
    height: int
    frames: int
    fps: int
    stage_seconds: dict[str, float]
    warnings: tuple[Message, ...] = ()


def _check_range(name: str, value: Any, low: float, high: float, kind: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        raise BadInput(
            msg(
                "{name} is {value!r}; it must be a number from {low} to {high}",
                name=name,
                value=value,
                low=low,
                high=high,
            )
        )
