"""Read requests of browsers and scripts: bodies of a bounded size, settings of the right types."""

import asyncio
import secrets
from dataclasses import Field as DataclassField
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Optional

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, create_model, model_validator

from ...errors import BadInput
from ...messages import msg
from ...pipeline.families.motions import settle_motion
from ...pipeline.request import MAX_SEED, VideoRequest
from ...presets import Presets
from ...presets.loras import with_list_of_loras
from ...presets.options import LORA_STRENGTH, MOTIONS, NUMBERS, OPTIONS, TEXTS

MOST_JSON_BYTES = 64 * 1024

TOO_LARGE = msg("this request is too large")

Word = Annotated[str, StringConstraints(max_length=200)]


OWN_DEFAULTS = {"model": "", "seed": None}
"""Where a form's settings differ from a request's: no model is the best one that is here, no seed draws one."""


class LoraIn(BaseModel):
    """One LoRA of a form's settings. `VideoRequest` checks the range of its strength.

    Attributes:
        name: Of the LoRA.
        strength: 1 = as trained.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Word
    strength: float | None = Field(None, description=LORA_STRENGTH.help)


def _field(field: DataclassField) -> tuple[Any, Any]:
    """Declare a field of `VideoRequest` without its range, which `VideoRequest` itself checks."""
    if field.name == "loras":
        return list[LoraIn], Field(default_factory=list, description=OPTIONS[field.name].help)
    about = Field(OWN_DEFAULTS.get(field.name, field.default), description=OPTIONS[field.name].help)
    if field.name in NUMBERS:
        return NUMBERS[field.name].kind | None, about
    if isinstance(field.default, bool | int):
        return type(field.default), about
    if field.name in TEXTS:
        return (str | None if field.default is None else str), about
    return (Optional[Word] if field.default is None else Word), about  # noqa: UP045 - an Annotated knows no |


_FIELDS: dict[str, Any] = {field.name: _field(field) for field in fields(VideoRequest)}


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, data: Any) -> Any:
        """Read settings of earlier versions."""
        return with_list_of_loras(data) if isinstance(data, dict) else data


SettingsIn = create_model("SettingsIn", __base__=_Asked, **_FIELDS)
"""A form's settings, from VideoRequest's fields. Unknown keys are refused; ranges and presets are checked later.

Only models with a preset: a path that a browser names is never opened.
"""

MotionIn = create_model(
    "MotionIn",
    __base__=SettingsIn,
    motion=(Word, Field("", description=f"Instead of motion_bucket_id: {', '.join(MOTIONS)}.")),
)
"""A form's settings as a request may name them: words, too, that stand for numbers."""

_ASKED: dict[str, Any] = {
    name: (kind, ...) if name in ("model", "seconds", "quality") else (kind, about)
    for name, (kind, about) in _FIELDS.items()
    if name not in ("resolution", "loras")
}
_PHOTO: dict[str, Any] = {
    "width": (int, Field(1600, ge=1, le=10_000)),
    "height": (int, Field(900, ge=1, le=10_000)),
}
EstimateIn = create_model("EstimateIn", **_ASKED, **_PHOTO, last_photo=(bool, False))
"""What an estimate is asked for: a form's settings at every resolution, the photo's size in pixels, and whether the
video ends with a picture of its own."""
_LONG: dict[str, Any] = {name: _FIELDS[name] for name in (*TEXTS, "loras")}
LongEstimateIn = create_model("LongEstimateIn", __base__=_Asked, **_LONG)
"""What may be too long for an address. A model that is loaded is loaded again for another prompt, or other LoRAs."""

_FOR_MODELS = {name: kind for name, kind in _ASKED.items() if name != "model"}
ModelsEstimateIn = create_model("ModelsEstimateIn", resolution=(Word, ...), **_FOR_MODELS, **_PHOTO)
"""The same at one resolution, with every model."""


async def read_body(request: Request, limit: int, too_large: str) -> bytes:
    """Read the body, at most `limit` bytes. Raise BadInput(too_large) as soon as there is more."""
    _refuse_declared(request, limit, too_large)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BadInput(too_large)
        parts.append(part)
    return b"".join(parts)


async def read_file(request: Request, path: Path, limit: int, too_large: str) -> None:
    """Write the body to a file, at most `limit` bytes: for what is too large to hold in memory."""
    _refuse_declared(request, limit, too_large)
    size = 0
    with await asyncio.to_thread(path.open, "wb") as file:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise BadInput(too_large)
            await asyncio.to_thread(file.write, part)


def _refuse_declared(request: Request, limit: int, too_large: str) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BadInput(too_large)


async def read_json(request: Request, kind: type[BaseModel]) -> Any:
    """Return the body as a `kind`. Raise BadInput above MOST_JSON_BYTES, or naming the first value that is wrong."""
    body = await read_body(request, MOST_JSON_BYTES, TOO_LARGE)
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as e:
        raise BadInput(first_mistake(e)) from e


def read_query(request: Request, kind: type[BaseModel]) -> dict[str, Any]:
    """Return the address's values by their names. Raise BadInput."""
    try:
        return kind.model_validate(dict(request.query_params)).model_dump()
    except ValidationError as e:
        raise BadInput(first_mistake(e)) from e


def to_request(settings: BaseModel | dict[str, Any], presets: Presets, default: str) -> VideoRequest:
    """Create a request from settings.

    Args:
        settings: The settings.
        presets: All presets.
        default: Model to use if none is named.

    Raises:
        BadInput: A setting is wrong; names it.
    """
    if isinstance(settings, dict):
        try:
            settings = MotionIn.model_validate(settings)
        except ValidationError as e:
            raise BadInput(first_mistake(e)) from e
    values: dict[str, Any] = settings.model_dump()
    values["model"] = values["model"] or default
    values["upscaler"] = values["upscaler"] or None
    preset = presets.model(values["model"])
    values["motion_bucket_id"] = settle_motion(values.pop("motion", ""), values["motion_bucket_id"], preset)
    if values["seed"] is None:
        values["seed"] = secrets.randbelow(MAX_SEED + 1)
    return VideoRequest.from_json(values)


def first_mistake(error: ValidationError) -> str:
    """Return the first error as one sentence: its key, the value's first 60 characters, and what is wrong."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "the request"
    value = repr(first.get("input"))
    return f"{key} is {value[:60]}: {first['msg'].lower()}"
