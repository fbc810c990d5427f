"""Serve exports of a video over HTTP: start, describe, send and cancel them."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict

from ...pipeline.media.exports.formats import FORMATS, Export
from ...queue.types import Job
from .conditional import own_file
from .job_routes import VIDEO_GONE, file_stem, own_job
from .requests import Word, read_json

router = APIRouter(prefix="/studio")

MEDIA_TYPES = {kind.suffix: kind.media_type for kind in FORMATS.values()}


class ExportIn(BaseModel):
    """Body of `POST /studio/jobs/{job_id}/exports`; see `Export`.

    Attributes:
        format: Name of a format.
        start: First frame, from 0.
        end: Frame after the last one; None = to the end.
        ping_pong: Forwards, then backwards.
        frame: Frame of a still; None = the middle one.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Word
    start: int = 0
    end: int | None = None
    ping_pong: bool = False
    frame: int | None = None


@router.get("/exports")
async def formats(request: Request) -> dict[str, Any]:
    """Return the formats in which this machine can export videos."""
    return {"formats": await request.app.state.studio.exports.formats.get()}


@router.post("/jobs/{job_id}/exports")
async def start(job_id: str, request: Request) -> dict[str, Any]:
    """Start an export of a finished video. The client polls the answer's `name` until it is `done`."""
    found, wanted = await own_job(job_id, request), await read_json(request, ExportIn)
    exports = request.app.state.studio.exports

    def begin() -> dict[str, Any]:
        return exports.look(found, exports.start(found, Export(**wanted.model_dump())))

    return _shown(await asyncio.to_thread(begin), found, request)


@router.get("/jobs/{job_id}/exports/{name}")
async def state(job_id: str, name: str, request: Request) -> dict[str, Any]:
    """Return the progress of an export; see `Exports.look`."""
    found = await own_job(job_id, request)
    return _shown(await asyncio.to_thread(request.app.state.studio.exports.look, found, name), found, request)


@router.get("/jobs/{job_id}/exports/{name}/file")
async def file(job_id: str, name: str, request: Request, download: bool = False) -> Response:
    """Send a finished export, inline or (`download`) as an attachment."""
    found = await own_job(job_id, request)
    path = request.app.state.studio.exports.file(found, name)
    own_name = f"{file_stem(found)}{name.removeprefix('video') if name.startswith('video') else f'-{name}'}"
    return await own_file(request, path, VIDEO_GONE, own_name if download else None, MEDIA_TYPES[path.suffix])


@router.delete("/jobs/{job_id}/exports/{name}")
async def cancel(job_id: str, name: str, request: Request) -> dict[str, Any]:
    """Cancel an export that is not finished."""
    found = await own_job(job_id, request)
    request.app.state.studio.exports.cancel(found, name)
    return {"cancelled": name}


def _shown(told: dict[str, Any], job: Job, request: Request) -> dict[str, Any]:
    """Return an export's state as the login may see it: without folders, unless the login owns the machine."""
    return told | {"error": request.app.state.studio.plain(job.owner, told["error"])}
