"""Define what a job is asked to do and what it returns: frozen, and storable as JSON."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import BadInput
from ..messages import Message, msg
from ..presets.loras import LoraChoice, check_loras, read_loras, with_list_of_loras
from ..presets.options import (
    AS_PHOTO,
    BEST,
    MAX_PROMPT,
    MAX_SEED,
    MODES,
    NUMBERS,
    SHAPES,
    TEXTS,
    Fps,
    ModeName,
    MotionBucketId,
    NoiseAugStrength,
    Position,
    Seed,
    ShapeName,
    Steps,
)

__all__ = ("MAX_SEED", "Fit", "VideoRequest", "VideoResult")

Fit = Literal["crop", "pad"]

MOST_TAKES = 8
"""Videos of one photo that may be asked for at once."""


@dataclass(frozen=True)
class VideoRequest:
    """The settings of one video. They name neither the photo nor the output file.

    `None` means the default of the model's preset.

    Attributes:
        resolution: Name of a preset, as `480p`.
        seconds: Length of a duration preset.
        quality: Name of a preset, as `standard`.
        mode: How much of the sampling is computed (`families.modes`); the model's preset offers some of the modes.
        model: Name of a preset, or path of a folder in diffusers' format.
        seed: See `presets.options`, which holds the ranges of all numbers.
        motion_bucket_id: See `presets.options`.
        steps: See `presets.options`.
        noise_aug_strength: See `presets.options`.
        fps: Frames per second told to the model; see `presets.options`.
        fit: `crop` fills the frame; `pad` keeps the whole photo on a background.
        shape: Aspect ratio of the video, width:height; `photo` = the photo's.
        position: Part of the photo that a crop keeps: 0 left or top, 1 right or bottom; None = the middle.
        prompt: Text for models that read one; may be empty. At most MAX_PROMPT letters.
        negative_prompt: What guidance leads away from, for models with guidance; "" = nothing. At most MAX_PROMPT
            letters.
        loop: The video ends with the photo, for models that accept a last picture.
        loras: LoRAs to add to the model's weights, in this order (`models.loras`); at most MOST_LORAS.
        int8: Keep the model's weights in 8-bit integers, for models that support it.
        detail: Add the photo's own detail to frames that are smaller or softer than the output.
        upscaler: Name of a preset: a network that adds detail where the photo gives none; None = plain enlargement.
    """

    resolution: str = "480p"
    seconds: int = 6
    quality: str = "standard"
    model: str = "mini"
    seed: Seed = 0
    motion_bucket_id: MotionBucketId | None = None
    steps: Steps | None = None
    noise_aug_strength: NoiseAugStrength | None = None
    fps: Fps | None = None
    fit: Fit = "crop"
    detail: bool = True
    upscaler: str | None = None
    mode: ModeName = BEST
    prompt: str = ""
    shape: ShapeName = AS_PHOTO
    position: Position | None = None
    negative_prompt: str | None = None
    loras: tuple[LoraChoice, ...] = ()
    loop: bool = False
    int8: bool = False

    def __post_init__(self) -> None:
        for name in TEXTS:
            _check_text(name, getattr(self, name))
        for number in NUMBERS.values():
            value = getattr(self, number.name)
            if not number.allows(value):
                raise BadInput(
                    msg(
                        "{name} is {value!r}; it must be a number from {low} to {high}",
                        name=number.name,
                        value=value,
                        low=number.low,
                        high=number.high,
                    )
                )
        for name in ("detail", "loop", "int8"):
            if not isinstance(getattr(self, name), bool):
                raise BadInput(
                    msg("{name} is {value!r}; it must be true or false", name=name, value=getattr(self, name))
                )
        if not isinstance(self.upscaler, str | None):
            raise BadInput(
                msg(
                    "{name} is {value!r}; it must be an upscaler's name or nothing",
                    name="upscaler",
                    value=self.upscaler,
                )
            )
        check_loras(self.loras)
        if self.mode not in MODES:
            raise BadInput(
                msg("{what} is {name!r}; choose one of {known}", what="mode", name=self.mode, known=", ".join(MODES))
            )
        if self.shape not in SHAPES:
            raise BadInput(
                msg("{what} is {name!r}; choose one of {known}", what="shape", name=self.shape, known=", ".join(SHAPES))
            )
        if self.fit not in ("crop", "pad"):
            raise BadInput(
                msg(
                    "{name} is {value!r}; it must be 'crop' (fill the frame) or 'pad' (keep the whole photo)",
                    name="fit",
                    value=self.fit,
                )
            )

    @property
    def centre(self) -> float:
        """`position` with its default, 0..1."""
        return 0.5 if self.position is None else self.position

    def to_json(self) -> dict[str, Any]:
        """Convert the settings to a dictionary for `from_json`."""
        return asdict(self) | {"loras": [asdict(one) for one in self.loras]}

    def takes(self, count: int) -> "list[VideoRequest]":
        """Return `count` requests that differ only in the seed: this one's and the ones after it.

        Raises:
            BadInput: `count` is not 1 to `MOST_TAKES`.
        """
        if not 1 <= count <= MOST_TAKES:
            raise BadInput(
                msg("{count} videos of a photo are asked for; it must be 1 to {most}", count=count, most=MOST_TAKES)
            )
        return [replace(self, seed=(self.seed + n) % (MAX_SEED + 1)) for n in range(count)]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "VideoRequest":
        """Read settings by name, including those of earlier versions.

        Raises:
            BadInput: A key is unknown (a typo must not pass as a default), or a value is wrong.
        """
        data = with_list_of_loras(data)
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise BadInput(
                msg(
                    "unknown setting {name!r}; known are {known}",
                    name=sorted(unknown)[0],
                    known=", ".join(f.name for f in fields(cls)),
                )
            )
        data["loras"] = read_loras(data.get("loras", ()))
        return cls(**data)


@dataclass(frozen=True)
class VideoResult:
    """A finished file.

    Attributes:
        path: The mp4.
        width: Pixels.
        height: Pixels.
        frames: Number of frames.
        fps: Frames per second.
        stage_seconds: Seconds of each stage, by the stage's name.
        warnings: For the user.
    """

    path: Path
    width: int
    height: int
    frames: int
    fps: int
    stage_seconds: dict[str, float]
    warnings: tuple[Message, ...] = ()


def _check_text(name: str, text: Any) -> None:
    if text is None and name != "prompt":
        return
    if not isinstance(text, str):
        raise BadInput(msg("{name} is {value!r}; it must be text", name=name, value=str(text)[:80]))
    if len(text) > MAX_PROMPT:
        raise BadInput(
            msg("{name} has {count} letters; write at most {most}", name=name, count=len(text), most=MAX_PROMPT)
        )
    if any(ord(letter) == 0 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise BadInput(
            msg("{name} holds an invalid character (a zero byte or half an emoji); type it again", name=name)
        )
