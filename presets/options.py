"""Define a video's settings: name, label, help and range of each, in this one place.

A model's defaults (`schema.Sampling`), a request, the command line, the Gradio endpoint, the HTTP API and the form all
read them here. The annotations are pydantic's; `OPTIONS` says the same as plain records.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from ..messages import LANGUAGES, Message, msg

MAX_SEED = 2**32 - 1

ModeName = Literal["best", "balanced", "fast"]
BEST: ModeName = "best"
"""Every model has it: each step is computed in full."""
MODES: tuple[ModeName, ...] = get_args(ModeName)
MotionName = Literal["gentle", "normal", "strong"]
"""Words for `motion_bucket_id`; see `pipeline.families.motions`."""
NORMAL: MotionName = "normal"
"""The model's own number."""
MOTIONS: tuple[MotionName, ...] = get_args(MotionName)
ShapeName = Literal["photo", "16:9", "9:16", "1:1", "4:5"]
AS_PHOTO: ShapeName = "photo"
SHAPES: tuple[ShapeName, ...] = get_args(ShapeName)
ScheduleName = Literal["karras", "ays", "flow", "fixed", "linear-quadratic", "dynamic"]
"""Spacings of the noise levels. Which of them a model can be sampled with, its family says (`Family.schedules`)."""
SolverName = Literal["euler", "unipc", "lcm"]
"""Steps from one noise level to the next. Which of them follow a spacing, the family says, too."""
MOST_LORAS = 4
"""LoRAs that a video may be made with."""
MAX_PROMPT = 10_000
"""Letters of a prompt. A model reads far less and says what it left out."""

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
MotionBucketId = Annotated[int, Field(ge=1, le=255)]
Steps = Annotated[int, Field(ge=1, le=100)]
NoiseAugStrength = Annotated[float, Field(ge=0.0, le=1.0)]
Fps = Annotated[int, Field(ge=5, le=30)]
LoraStrength = Annotated[float, Field(ge=0.0, le=2.0)]
Position = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True)
class Option:
    """One setting of a request.

    Attributes:
        name: as requests, rows and the metadata of videos have it.
        label: its name for people.
        help: what it is for.
        own: only some model families take it (`families.base.Family.takes`).
        guided: and of their models only those that are sampled with guidance.
    """

    name: str
    label: Message
    help: Message
    own: bool = False
    guided: bool = False

    @property
    def words(self) -> dict[str, dict[str, str]]:
        """Return label and help in each language."""
        return {
            "label": {language: self.label.say(language) for language in LANGUAGES},
            "help": {language: self.help.say(language) for language in LANGUAGES},
        }


@dataclass(frozen=True)
class Number(Option):
    """A setting that is a number.

    Attributes:
        kind: int, or float where it may have a fraction.
        low: the smallest value.
        high: the largest value.
        step: by which a form moves it.
    """

    kind: type = int
    low: float = 0
    high: float = 0
    step: float = 1

    @property
    def described(self) -> str:
        """Return the English help with the range, for a command line."""
        return f"{self.help} {self.low:g} to {self.high:g}."

    def allows(self, value: Any) -> bool:
        """Tell whether a value is of its kind and within its range; None is left to the model's preset."""
        kind = (int, float) if self.kind is float else int
        return value is None or (
            not isinstance(value, bool) and isinstance(value, kind) and self.low <= value <= self.high
        )

    def to_json(self) -> dict[str, Any]:
        """Return what a form needs to draw it, beside the words."""
        return {"key": self.name, "min": self.low, "max": self.high, "step": self.step, "own": self.own}


@dataclass(frozen=True)
class Text(Option):
    """A setting that is free text, of at most MAX_PROMPT letters.

    Attributes:
        folded: a form has it among the settings that are folded away.
    """

    folded: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what a form needs to draw it, beside the words."""
        return {"key": self.name, "most": MAX_PROMPT, "own": self.own, "folded": self.folded}


def _number(name: str, annotated: Any, label: Message, help: Message, step: float = 1, own: bool = False) -> Number:
    kind, info = get_args(annotated)
    low, high = (next(getattr(one, key) for one in info.metadata if hasattr(one, key)) for key in ("ge", "le"))
    return Number(name, label, help, own, kind=kind, low=low, high=high, step=step)


_ALL: tuple[Option, ...] = (
    Option("resolution", msg("Resolution"), msg("Size of the video.")),
    Option("shape", msg("Shape"), msg("Width to height of the video: as the photo has it, or cut from the photo.")),
    _number(
        "position",
        Position,
        msg("Position of the cut"),
        msg("Which part of the photo is kept where it is cut: 0 is left or top, 1 right or bottom, 0.5 the middle."),
        step=0.01,
    ),
    Option("seconds", msg("Length"), msg("Seconds of video.")),
    Option("quality", msg("Smoothness"), msg("Frames shown per second.")),
    Option(
        "mode",
        msg("Speed"),
        msg(
            "Best computes every step in full. Balanced skips work that is hardly visible, Fast takes fewer "
            "steps; not every model has them. Your own number of steps overrides that of the speed."
        ),
    ),
    Option("model", msg("Model"), msg("Which model generates the video.")),
    _number("seed", Seed, msg("Seed"), msg("The same photo, settings and seed give the same video.")),
    _number(
        "motion_bucket_id",
        MotionBucketId,
        msg("Motion bucket"),
        msg("The number that Motion sets: higher values move more, very high ones may distort."),
        own=True,
    ),
    _number(
        "steps",
        Steps,
        msg("Steps"),
        msg("More steps give finer results and take longer. Without a number, the model and the speed decide."),
    ),
    _number(
        "noise_aug_strength",
        NoiseAugStrength,
        msg("Noise augmentation"),
        msg("Noise added to the photo: more lets the video differ more from it."),
        step=0.01,
        own=True,
    ),
    _number(
        "fps", Fps, msg("Model fps"), msg("The frame rate given to the model: lower values move faster."), own=True
    ),
    Text(
        "prompt",
        msg("Prompt"),
        msg("What happens in the video, in plain English. May be empty."),
        own=True,
    ),
    Text(
        "negative_prompt",
        msg("Negative prompt"),
        msg("What the video should not show. By default the model's own text; clear it for none."),
        own=True,
        guided=True,
        folded=True,
    ),
    Option(
        "loop",
        msg("Loop"),
        msg("The video ends with the photo it began with, so that it repeats without a visible cut."),
        own=True,
    ),
    Option("loras", msg("LoRA"), msg("Small files that change the model's style or motion, at most four."), own=True),
    Option(
        "int8",
        msg("8-bit weights"),
        msg(
            "Halves the memory that the model takes; the video differs slightly. For computers with too little memory."
        ),
        own=True,
    ),
    Option(
        "fit",
        msg("If the shape differs"),
        msg("What does not fit the video's shape is cut off, or the whole photo is shown on a blurred background."),
    ),
    Option(
        "detail",
        msg("Detail from the photo"),
        msg("Sharpens the video with the photo's own detail wherever the photo is still visible."),
    ),
    Option(
        "upscaler",
        msg("Upscaler"),
        msg(
            "Adds detail that the photo does not have. Slow on a processor: seconds to minutes per frame. "
            "The times shown include it."
        ),
    ),
)

OPTIONS: Mapping[str, Option] = {option.name: option for option in _ALL}
"""By name, in the order of a form: every field of `pipeline.request.VideoRequest`."""

LORA_STRENGTH = _number(
    "lora_strength",
    LoraStrength,
    msg("Strength of the LoRA"),
    msg("1 is the strength it was trained for; lower values change less."),
    step=0.05,
)
"""Each of a request's LoRAs has one."""

LAST_PHOTO = Option(
    "last_photo",
    msg("Last picture"),
    msg("The video ends with this picture; it is cut or fitted to the video's shape as the photo is."),
    own=True,
)
"""The picture that a video ends with. It is given with the photo, not as a field of the request."""

NUMBERS: Mapping[str, Number] = {option.name: option for option in _ALL if isinstance(option, Number)}
"""Those that are numbers with a range."""

TEXTS: Mapping[str, Text] = {option.name: option for option in _ALL if isinstance(option, Text)}
"""Those that are free text."""
