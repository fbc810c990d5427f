"""The numbers that a video can be asked for: range, step and what each is for, in this one place.

A model's defaults (`schema.Sampling`), a request, the command line, the Gradio endpoint, the HTTP API and the form all
read them here. The annotations are pydantic's; `NUMBERS` says the same as plain records.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import Field
from pydantic.fields import FieldInfo

MAX_SEED = 2**32 - 1


def _number(low: float, high: float, step: float, en: str, ru: str) -> FieldInfo:
    return Field(ge=low, le=high, description=en, json_schema_extra={"step": step, "ru": ru})


Seed = Annotated[
    int, _number(0, MAX_SEED, 1, "The same seed draws the same video.", "Одинаковое зерно даёт одинаковое видео.")
]
MotionBucketId = Annotated[
    int, _number(1, 255, 1, "Strength of motion (motion bucket).", "Сила движения (motion bucket).")
]
Steps = Annotated[int, _number(1, 100, 1, "Denoising steps.", "Шаги шумоподавления.")]
NoiseAugStrength = Annotated[float, _number(0.0, 1.0, 0.01, "Noise added to the photo.", "Шум, добавляемый к фото.")]
Fps = Annotated[
    int,
    _number(
        5,
        30,
        1,
        "Pace: the frame rate the model imagines; the video's own is set by the quality.",
        "Темп: частота кадров, которую представляет модель; частоту самого видео задаёт качество.",
    ),
]


@dataclass(frozen=True)
class Number:
    """One of them.

    Attributes:
        kind: int, or float where it may have a fraction.
        low, high: what it may be, both included. step: by which a form moves it.
        help: what it is for, by language.
    """

    name: str
    kind: type
    low: float
    high: float
    step: float
    help: Mapping[str, str]

    @property
    def described(self) -> str:
        """The English help with the range, for a command line."""
        return f"{self.help['en'].removesuffix('.')}, {self.low:g} to {self.high:g}."

    def to_json(self) -> dict[str, Any]:
        """Return what a form needs to draw it."""
        return {"key": self.name, "min": self.low, "max": self.high, "step": self.step, "help": dict(self.help)}


def _record(name: str, annotated: Any) -> Number:
    kind, info = get_args(annotated)
    low, high = (next(getattr(one, key) for one in info.metadata if hasattr(one, key)) for key in ("ge", "le"))
    more = info.json_schema_extra
    return Number(name, kind, low, high, more["step"], {"en": info.description or "", "ru": more["ru"]})


NUMBERS: Mapping[str, Number] = {
    name: _record(name, annotated)
    for name, annotated in {
        "seed": Seed,
        "motion_bucket_id": MotionBucketId,
        "steps": Steps,
        "noise_aug_strength": NoiseAugStrength,
        "fps": Fps,
    }.items()
}
"""By the name that requests, rows and the metadata of videos have for it, in the order of a form."""
