"""What a job is asked to do and what it gave back: frozen, and storable as JSON."""

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
    """The settings of one video, independent of the photo's and the result's place.

    `None` means "as the model's preset says".

    Attributes:
        resolution: A preset's name, `480p`.
        seconds: A duration preset's seconds of video.
        quality: A preset's name, `standard`.
        mode: How much of the sampling is computed (`families.modes`); the model's preset says which modes there are.
        model: A preset's name, or the path of a folder in diffusers' format.
        seed: See `presets.options`, which has the ranges of numbers.
        motion_bucket_id: See `presets.options`.
        steps: See `presets.options`.
        noise_aug_strength: See `presets.options`.
        fps: Frames a second; see `presets.options`.
        fit: `crop` fills the frame, `pad` keeps the whole photo on a blurred or plain background.
        shape: Of the video: `photo` keeps the photo's, others are width:height.
        position: Of what is kept where the photo is cut: 0 left or top, 1 right or bottom; None is the middle.
        prompt: What is to happen in the video, for models that read it; may be empty. At most MAX_PROMPT letters.
        negative_prompt: What is not to be in the video, for models with guidance; "" = nothing. As long at most.
        loop: The frame behind the last one is the photo again, for models that can be told where a video ends.
        loras: Files whose changes are added to the model's weights, in this order (`models.loras`); at most MOST_LORAS.
        int8: The model's weights are kept in 8-bit numbers, for models that can.
        detail: Give the frames the photo's own detail where the model draws smaller or softer than the output.
        upscaler: A preset's name: this network draws detail where the photo gives none. None enlarges plainly there.
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
        """Return `position`, or the middle, 0..1."""
        return 0.5 if self.position is None else self.position

    def to_json(self) -> dict[str, Any]:
        """Return the settings by name, for `from_json`."""
        return asdict(self) | {"loras": [asdict(one) for one in self.loras]}

    def takes(self, count: int) -> "list[VideoRequest]":
        """Return requests that differ in the seed alone: this one's, and those that follow it.

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
        """Read settings by name, also as earlier versions wrote them.

        Raises:
            BadInput: A key is unknown, so that a typo never passes as a default; or a value is wrong.
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
    """A finished file. frames: count at `fps` frames per second; size in pixels; seconds of computing per stage."""

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
