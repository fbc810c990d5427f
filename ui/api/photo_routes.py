"""Serve photos over HTTP: upload them, reuse those of jobs, send them; and read the settings of a video."""

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from ...errors import BadInput, NotFound
from ...messages import msg
from ...pipeline.media.mp4 import read_metadata
from ...pipeline.media.photo.load import MAX_BYTES
from ...pipeline.media.sizes import output_size
from ...pipeline.request import VideoRequest
from ...presets.loras import with_list_of_loras
from ...settings import ROOT
from ..auth.identity import user_of
from ..error_response import all_in_each_language
from ..serializers import ROUTES
from ..uploads.photos import PHOTO_AWAY, Photo, clean_name
from .conditional import own_file
from .job_routes import NO_LAST_PHOTO, PHOTO_GONE, own_job
from .requests import SettingsIn, first_mistake, read_file

if TYPE_CHECKING:
    from ..context import Studio

router = APIRouter(prefix="/studio")

SAMPLE = ROOT / "assets" / "sample.jpg"
MOST_VIDEO_BYTES = 300 << 20


@router.post("/photos")
async def add_photo(request: Request) -> dict[str, Any]:
    """Upload a photo. The body is the file, the header X-Photo-Name its percent-encoded name."""
    studio = request.app.state.studio
    name = clean_name(unquote(request.headers.get("x-photo-name", "")))
    async with studio.photos.arrival() as path:
        await read_file(
            request,
            path,
            MAX_BYTES,
            msg("{name} is larger than {mb} MB; save it smaller", name=name, mb=MAX_BYTES >> 20),
        )
        photo = await studio.photos.add(path, name, user_of(request))
    return await asyncio.to_thread(_photo_json, photo, studio)


@router.post("/photos/sample")
async def add_sample(request: Request) -> dict[str, Any]:
    """Register the sample photo as an upload."""
    studio = request.app.state.studio
    photo = await studio.photos.add(SAMPLE, SAMPLE.name, user_of(request))
    return await asyncio.to_thread(_photo_json, photo, studio)


@router.post("/photos/of/{job_id}")
async def add_photo_of_job(job_id: str, request: Request) -> dict[str, Any]:
    """Register a job's photo as an upload, to make another video of it."""
    studio, found = request.app.state.studio, await own_job(job_id, request)
    if not await asyncio.to_thread(found.photo.path.is_file):
        raise NotFound(PHOTO_GONE)
    photo = await studio.photos.add(found.photo.path, found.name, user_of(request))
    return await asyncio.to_thread(_photo_json, photo, studio)


@router.post("/photos/of/{job_id}/last")
async def add_last_photo_of_job(job_id: str, request: Request) -> dict[str, Any]:
    """Register the picture that a job's video ends with as an upload."""
    studio, found = request.app.state.studio, await own_job(job_id, request)
    last = found.last_photo
    if last is None or not await asyncio.to_thread(last.path.is_file):
        raise NotFound(NO_LAST_PHOTO)
    photo = await studio.photos.add(last.path, found.last_name, user_of(request))
    return await asyncio.to_thread(_photo_json, photo, studio)


@router.get("/photos/{photo_id}")
async def photo(photo_id: str, request: Request) -> dict[str, Any]:
    """Describe a photo that this login has uploaded."""
    studio = request.app.state.studio
    found = await asyncio.to_thread(studio.photos.get, photo_id, user_of(request))
    return await asyncio.to_thread(_photo_json, found, studio)


@router.get("/photos/{photo_id}/view")
async def photo_view(photo_id: str, request: Request) -> Response:
    """Send an uploaded photo as a JPEG, small enough for the form."""
    found = await asyncio.to_thread(request.app.state.studio.photos.get, photo_id, user_of(request))
    return await own_file(request, found.view, PHOTO_AWAY)


@router.post("/settings")
async def settings_of_a_video(request: Request) -> dict[str, Any]:
    """Return the settings stored in an mp4 of this program, which is the body.

    They may name presets that do not exist here.
    """
    name = clean_name(unquote(request.headers.get("x-photo-name", "")))
    async with request.app.state.studio.photos.arrival("video.mp4") as path:
        await read_file(
            request, path, MOST_VIDEO_BYTES, msg("{name} is larger than {mb} MB", name=name, mb=MOST_VIDEO_BYTES >> 20)
        )
        try:
            found = await asyncio.to_thread(read_metadata, path)
        except BadInput as e:
            raise BadInput(e.message.with_values(name=name)) from e
    asked = found.get("request")
    asked = with_list_of_loras(asked) if isinstance(asked, dict) else {}
    known = {key: asked[key] for key in SettingsIn.model_fields if key in asked}
    try:
        known = SettingsIn.model_validate(known).model_dump()
    except ValidationError as e:
        raise BadInput(msg("{name}: {why}", name=name, why=first_mistake(e))) from e
    return VideoRequest.from_json(known | {"seed": known["seed"] or 0}).to_json()


def _photo_json(photo: Photo, studio: "Studio") -> dict[str, Any]:
    """Make a photo's JSON. sizes: the clip's for each resolution. notes: what the file lacks, in each language."""
    shape = (photo.width, photo.height)
    return {
        "sizes": {name: output_size(shape, resolution) for name, resolution in studio.presets.resolutions.items()},
        "id": photo.id,
        "name": photo.name,
        "width": photo.width,
        "height": photo.height,
        "view": f"{studio.root_path}{ROUTES}/photos/{photo.id}/view",
        "notes": all_in_each_language(photo.notes),
    }
