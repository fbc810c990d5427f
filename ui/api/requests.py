"""Reading what browsers and scripts send: who they are, bodies of a bounded size, settings of the right types."""

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import BadInput
from ...messages import msg
from ...pipeline.request import MAX_SEED, VideoRequest
from ...presets import Presets

MOST_JSON_BYTES = 64 * 1024

TOO_LARGE = msg("this request is too large")

Word = Annotated[str, Field(max_length=64)]


class SettingsIn(BaseModel):
    """A form's settings. Unknown keys are refused; ranges and presets are checked by VideoRequest and the queue.

    seed: None draws one. Only models with a preset: a path that a browser names is never opened.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    resolution: Word = "480p"
    seconds: int = 6
    quality: Word = "standard"
    model: Word = ""
    seed: int | None = None
    motion_bucket_id: int | None = None
    steps: int | None = None
    noise_aug_strength: float | None = None
    fps: int | None = None
    fit: Word = "crop"
    detail: bool = True
    upscaler: Word | None = None


async def read_body(request: Request, limit: int, too_large: str) -> bytes:
    """The body, at most `limit` bytes; BadInput(too_large) as soon as there is more."""
    _refuse_declared(request, limit, too_large)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BadInput(too_large)
        parts.append(part)
    return b"".join(parts)


async def read_file(request: Request, path: Path, limit: int, too_large: str) -> None:
    """The body into a file, at most `limit` bytes: for what is too large to hold in memory."""
    _refuse_declared(request, limit, too_large)
    size = 0
    with open(path, "wb") as file:
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
    body = await read_body(request, MOST_JSON_BYTES, TOO_LARGE)
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as e:
        raise BadInput(first_mistake(e)) from e


def to_request(settings: SettingsIn | dict[str, Any], presets: Presets, default: str) -> VideoRequest:
    """default: the model when none is named. Raise BadInput naming the setting that is wrong."""
    if isinstance(settings, dict):
        try:
            settings = SettingsIn.model_validate(settings)
        except ValidationError as e:
            raise BadInput(first_mistake(e)) from e
    values = settings.model_dump()
    values["model"] = settings.model or default
    values["upscaler"] = settings.upscaler or None
    presets.model(values["model"])
    if values["seed"] is None:
        values["seed"] = secrets.randbelow(MAX_SEED + 1)
    return VideoRequest.from_json(values)


def first_mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "the request"
    value = repr(first.get("input"))
    return f"{key} is {value[:60]}: {first['msg'].lower()}"
