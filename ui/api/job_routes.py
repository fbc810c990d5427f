"""Serve jobs over HTTP: submit, describe and cancel them, and send the files of a login's jobs."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...errors import NotFound
from ...messages import msg
from ...models.find import default_model
from ...pipeline.request import MOST_TAKES
from ...queue.store.rows import last_photo_of, photo_of
from ...queue.types import EventKind, Job
from ..auth.identity import login_of, owner_of, user_of
from ..exports.stills import STILL, make_still
from ..uploads.photos import LAST_POSTER, POSTER, make_poster
from .conditional import fresh, own_file
from .requests import MotionIn, read_json, to_request

router = APIRouter(prefix="/studio")

JOB_ID = re.compile(r"[0-9a-f]{12}")
MOST_PHOTOS = 50
MOST_WAITING = 200
"""Jobs of one login that may wait at a time."""
MOST_LISTED = 200
STEM_BYTES = 160
"""Limit of the photo's name in a downloaded file's name. Most file systems allow 255 for the whole name."""
PHOTO_GONE = msg("the photo of this job is gone")
NO_LAST_PHOTO = msg("this job has no last picture")
VIDEO_GONE = msg("the video of this job is gone")


Takes = Annotated[int, Field(ge=1, le=MOST_TAKES)]


class JobsIn(BaseModel):
    """Body of `POST /studio/jobs`.

    Attributes:
        photos: Ids of uploaded photos; each becomes at least one job.
        settings: Settings of all jobs, see `MotionIn`.
        takes: Jobs for each photo, which differ in the seed.
        last_photo: Id of the uploaded picture that the videos end with; "" = the model decides.
    """

    model_config = ConfigDict(extra="forbid")

    photos: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=MOST_PHOTOS)
    settings: Any = Field(default_factory=MotionIn)
    takes: Takes = 1
    last_photo: Annotated[str, Field(max_length=64)] = ""

    @field_validator("settings", mode="plain")
    @classmethod
    def _settings(cls, value: Any) -> BaseModel:
        return MotionIn.model_validate(value)


class RetryIn(BaseModel):
    """Body of `POST /studio/jobs/{job_id}/retry`.

    Attributes:
        resolution: Name of another resolution; "" = the same.
    """

    model_config = ConfigDict(extra="forbid")

    resolution: Annotated[str, Field(max_length=64)] = ""


class AgainIn(BaseModel):
    """Body of `POST /studio/jobs/{job_id}/again`.

    Attributes:
        takes: Number of new jobs.
    """

    model_config = ConfigDict(extra="forbid")

    takes: Takes = 1


class ContinueIn(BaseModel):
    """Body of `POST /studio/jobs/{job_id}/continue`.

    Attributes:
        joined: Write the old and the new video into one file.
    """

    model_config = ConfigDict(extra="forbid")

    joined: Annotated[bool, Field(strict=True)] = True


@router.post("/jobs")
async def generate(request: Request) -> dict[str, Any]:
    """Submit a job for each photo, all with the same settings. If one photo is wrong, none is submitted."""
    studio, user = request.app.state.studio, user_of(request)
    wanted: JobsIn = await read_json(request, JobsIn)

    def submit() -> list[Job]:
        presets = studio.live_presets.now(fresh=True)  # a script may have added the model a moment ago
        settings = to_request(wanted.settings, presets, default_model(presets, studio.settings))
        photos = [studio.photos.get(photo_id, user).named for photo_id in wanted.photos]
        last = studio.photos.get(wanted.last_photo, user).named if wanted.last_photo else None
        limit = most_waiting(request)
        return studio.jobs.submit_all(photos, settings, owner=user, limit=limit, takes=wanted.takes, last=last)

    jobs = await asyncio.to_thread(submit)
    return {"jobs": await asyncio.to_thread(lambda: [studio.job(job) for job in jobs])}


@router.get("/jobs/{job_id}")
async def job(job_id: str, request: Request) -> dict[str, Any]:
    """Describe a job; see `job_json`."""
    return await shown(request, await own_job(job_id, request))


@router.post("/jobs/{job_id}/cancel")
async def cancel(job_id: str, request: Request) -> dict[str, Any]:
    """Cancel a job. A running one is `cancelling` until its step has ended."""
    studio = request.app.state.studio
    found = await own_job(job_id, request)
    return await shown(request, await asyncio.to_thread(studio.jobs.cancel, found.id))


@router.post("/jobs/{job_id}/retry")
async def retry(job_id: str, request: Request) -> dict[str, Any]:
    """Submit a failed or cancelled job again, with the same settings or at another resolution."""
    studio = request.app.state.studio
    found, wanted = await own_job(job_id, request), await read_json(request, RetryIn)

    def again() -> Job:
        other = replace(found.request, resolution=wanted.resolution) if wanted.resolution else None
        return studio.jobs.retry(found.id, request=other, limit=most_waiting(request))

    return await shown(request, await asyncio.to_thread(again))


@router.post("/jobs/{job_id}/again")
async def again(job_id: str, request: Request) -> dict[str, Any]:
    """Submit other takes of a job's video: the same photo and settings, other seeds."""
    studio = request.app.state.studio
    found, wanted = await own_job(job_id, request), await read_json(request, AgainIn)
    submit = partial(studio.jobs.again, found.id, takes=wanted.takes, limit=most_waiting(request))
    jobs = await asyncio.to_thread(submit)
    return {"jobs": await asyncio.to_thread(lambda: [studio.job(job) for job in jobs])}


@router.post("/jobs/{job_id}/continue")
async def continue_video(job_id: str, request: Request) -> dict[str, Any]:
    """Submit a job that continues a finished video from its last frame, with the same settings and another seed."""
    studio = request.app.state.studio
    found, wanted = await own_job(job_id, request), await read_json(request, ContinueIn)
    submit = partial(studio.jobs.continue_video, found.id, joined=wanted.joined, limit=most_waiting(request))
    return await shown(request, await asyncio.to_thread(submit))


@router.get("/jobs/{job_id}/video")
async def video(job_id: str, request: Request, download: bool = False) -> Response:
    """Send a finished job's mp4, inline or (`download`) as an attachment."""
    found = await own_job(job_id, request)
    if found.video is None:
        raise NotFound(msg("this job has no video"))
    name = f"{file_stem(found)}.mp4" if download else None
    return await own_file(request, found.video, VIDEO_GONE, name)


@router.get("/jobs/{job_id}/photo")
async def job_photo(job_id: str, request: Request) -> Response:
    """Send a job's normalised photo as a PNG."""
    found = await own_job(job_id, request)
    return await own_file(request, photo_of(found.folder), PHOTO_GONE)


@router.get("/jobs/{job_id}/poster")
async def poster(job_id: str, request: Request) -> Response:
    """Send a job's photo as a small JPEG, for lists."""
    found = await own_job(job_id, request)
    photo = photo_of(found.folder)
    return await _small_picture(request, photo.with_name(POSTER), partial(make_poster, photo), PHOTO_GONE)


@router.get("/jobs/{job_id}/last")
async def job_last_photo(job_id: str, request: Request) -> Response:
    """Send the picture that a job's video ends with as a normalised PNG."""
    found = await own_job(job_id, request)
    return await own_file(request, last_photo_of(found.folder), NO_LAST_PHOTO)


@router.get("/jobs/{job_id}/last-poster")
async def last_poster(job_id: str, request: Request) -> Response:
    """Send the picture that a job's video ends with as a small JPEG."""
    found = await own_job(job_id, request)
    photo = last_photo_of(found.folder)
    make = partial(make_poster, photo, LAST_POSTER)
    return await _small_picture(request, photo.with_name(LAST_POSTER), make, NO_LAST_PHOTO)


@router.get("/jobs/{job_id}/still")
async def still(job_id: str, request: Request) -> Response:
    """Send the video's middle frame as a small JPEG, for lists."""
    found = await own_job(job_id, request)
    return await _small_picture(request, found.folder / STILL, partial(make_still, found), PHOTO_GONE)


@router.get("/jobs/{job_id}/preview")
async def preview(job_id: str, request: Request) -> Response:
    """Send the latest preview of a running job, a WebP."""
    found = await own_job(job_id, request)
    shown = await asyncio.to_thread(request.app.state.studio.jobs.preview, found.id)
    if shown is None:
        raise NotFound(msg("there is no preview"))
    headers = fresh(request, f"preview-{shown[0]}")
    return headers if isinstance(headers, Response) else Response(shown[1], media_type="image/webp", headers=headers)


@router.get("/jobs/{job_id}/log")
async def log_text(job_id: str, request: Request) -> Response:
    """Send a job's whole log as a text file."""
    studio = request.app.state.studio
    found = await own_job(job_id, request)

    def lines() -> str:
        text, after = [], 0
        while events := studio.jobs.events_since(found.id, after, 500):
            text += [studio.plain(found.owner, event.text) for event in events if event.kind == EventKind.LOG]
            after = events[-1].id
        return "\n".join(text) + "\n"

    headers = {"Content-Disposition": f'attachment; filename="fanslymotion-{found.id}.log"'}
    return Response(await asyncio.to_thread(lines), media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/events")
async def events(
    request: Request,
    job: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> Response:
    """Stream the machine's state and, with `job`, that job's state and its log above `after`."""
    studio = request.app.state.studio
    if job is not None:
        await own_job(job, request)
    last = request.headers.get("last-event-id", "")
    if last.isdecimal() and len(last) < 19:  # a reconnecting browser names the last event it has seen
        after = int(last)
    stream: AsyncIterator[str] = studio.live.stream(login_of(request), job, after)
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _small_picture(request: Request, made: Path, make: Callable[[], Path | bytes], otherwise: str) -> Response:
    """Send a small picture, and create it if it is missing, one at a time.

    A gallery requests two dozen at once. Waiting requests hold no thread, because all requests share a few.

    Args:
        request: Its login takes turns with others.
        made: Path of the picture, or of what becomes it.
        make: Creates the picture, or finds it; returns the JPEG itself if it cannot be stored.
        otherwise: Error message if it is gone.
    """
    if await asyncio.to_thread(os.path.isfile, made):
        path = await asyncio.to_thread(make)
    else:
        async with request.app.state.studio.picture_turns.turn(user_of(request)):
            path = await asyncio.to_thread(make)
    if isinstance(path, bytes):
        return Response(path, media_type="image/jpeg", headers={"Cache-Control": "no-store"})
    return await own_file(request, path, otherwise)


def most_waiting(request: Request) -> int | None:
    """Return how many of a login's jobs may wait; None = no limit, on a page without logins."""
    return MOST_WAITING if login_of(request) is not None else None


def file_stem(job: Job) -> str:
    """Return the name of a downloaded video without suffix: the photo's name and the job's id."""
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "", Path(job.name).stem)
    stem = plain.encode("utf-8", "replace")[:STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    return f"{stem or 'video'}-{job.id}"


async def shown(request: Request, job: Job) -> dict[str, Any]:
    """Return a job's JSON as its login sees it, from a thread: it opens the photo and reads the disk."""
    return await asyncio.to_thread(request.app.state.studio.job, job)


async def own_job(job_id: str, request: Request) -> Job:
    """Return a job that the request's login may see.

    Raises:
        NotFound: There is none, or it is another login's.
    """
    if not JOB_ID.fullmatch(job_id):
        raise NotFound(msg("there is no such job"))
    return await asyncio.to_thread(request.app.state.studio.jobs.get, job_id, owner_of(request))
