"""Serve the queue over HTTP: lists, order, pause, delete, and the worker's restart."""

import asyncio
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from ...errors import BadInput
from ...messages import msg
from ...queue.types import JobFilter, Status
from ..auth.identity import owner_of, user_of
from .job_routes import own_job, shown
from .requests import read_json

router = APIRouter(prefix="/studio")

MOST_A_PAGE = 60
DAY_SECONDS = 86400
MOST_DAYS = 36500
PLACE = r"^([0-9]{1,12}(\.[0-9]{1,20})?-[0-9a-f]{12})?$"
LISTS = {"done": (Status.DONE,), "unfinished": (Status.FAILED, Status.CANCELLED)}


class PlaceIn(BaseModel):
    """Body of `POST /studio/jobs/{job_id}/move`.

    Attributes:
        place: New place among the waiting jobs, from 1.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    place: int = Field(ge=1, le=100_000)


class FavouriteIn(BaseModel):
    """Body of `POST /studio/jobs/{job_id}/favourite`.

    Attributes:
        favourite: Mark or unmark the job.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    favourite: bool


@router.get("/jobs")
async def listed(
    request: Request,
    kind: Literal["done", "unfinished"] = "done",
    text: Annotated[str, Query(max_length=120)] = "",
    model: Annotated[str, Query(max_length=64)] = "",
    resolution: Annotated[str, Query(max_length=64)] = "",
    favourite: bool = False,
    days: Annotated[float, Query(ge=0, le=MOST_DAYS)] = 0.0,
    offset: Annotated[int, Query(ge=0, lt=10**6)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_A_PAGE)] = 24,
    after: Annotated[str, Query(max_length=64, pattern=PLACE)] = "",
) -> dict[str, Any]:
    """List a login's ended jobs, the newest first. days: only those of so many days until now; 0: all of them.

    The answer's `total` counts all matches; its `next` is the `after` of the next page, "" at the end. Pages by `after`
    neither repeat nor miss a video if others end meanwhile; pages by `offset` may.
    """
    studio, owner = request.app.state.studio, owner_of(request)
    since = time.time() - days * DAY_SECONDS if days else 0.0
    sought = JobFilter(text.strip(), model, resolution, favourite, since)
    finished, _, job_id = after.partition("-")
    place = (float(finished), job_id) if after else None

    def read() -> dict[str, Any]:
        narrowed = {"owner": owner, "statuses": LISTS[kind], "sought": sought}
        jobs = studio.jobs.list(**narrowed, limit=limit, offset=offset, after=place)
        following = f"{jobs[-1].finished!r}-{jobs[-1].id}" if len(jobs) == limit else ""
        return {"jobs": [studio.job(job) for job in jobs], "total": studio.jobs.count(**narrowed), "next": following}

    return await asyncio.to_thread(read)


@router.post("/jobs/{job_id}/move")
async def move(job_id: str, request: Request) -> dict[str, Any]:
    """Move a waiting job: the machine's owner among all waiting jobs, others among their own jobs' places."""
    studio = request.app.state.studio
    found, wanted = await own_job(job_id, request), await read_json(request, PlaceIn)
    user = user_of(request)
    among = None if studio.logins.owns_machine(user) else user
    return await shown(request, await asyncio.to_thread(studio.jobs.move, found.id, wanted.place, among))


@router.post("/jobs/{job_id}/favourite")
async def favourite(job_id: str, request: Request) -> dict[str, Any]:
    """Mark or unmark a job as favourite."""
    studio = request.app.state.studio
    found, wanted = await own_job(job_id, request), await read_json(request, FavouriteIn)
    return await shown(request, await asyncio.to_thread(studio.jobs.set_favourite, found.id, wanted.favourite))


@router.delete("/jobs/{job_id}")
async def delete(job_id: str, request: Request) -> dict[str, Any]:
    """Delete an ended job with its files."""
    found = await own_job(job_id, request)
    await asyncio.to_thread(request.app.state.studio.delete, found.id)
    return {"deleted": found.id}


@router.post("/jobs/clean")
async def clean(request: Request) -> dict[str, Any]:
    """Delete a login's failed and cancelled jobs, with their photos and checkpoints."""
    jobs = request.app.state.studio.jobs
    return {"deleted": await asyncio.to_thread(jobs.clean, owner_of(request))}


@router.post("/queue/{act}")
async def pause(act: Literal["pause", "resume"], request: Request) -> dict[str, Any]:
    """Pause or resume the queue. For the machine's owner."""
    jobs = owned(request).jobs
    await asyncio.to_thread(jobs.pause if act == "pause" else jobs.resume)
    return {"paused": act == "pause"}


@router.post("/workers/restart")
async def restart(request: Request) -> dict[str, Any]:
    """Ask the workers to restart after their step. For the machine's owner. `asked` is false if none runs."""
    return {"asked": await asyncio.to_thread(owned(request).jobs.restart_worker)}


@router.delete("/notice")
async def put_notice_away(request: Request) -> dict[str, Any]:
    """Remove the notice about a damaged job list for everybody. For the machine's owner.

    From then on the doctor reports the store as healthy.
    """
    await asyncio.to_thread(owned(request).jobs.store.put_notice_away)
    return {}


def owned(request: Request) -> Any:
    """Return the studio for a request that concerns the whole machine.

    Raises:
        BadInput: The login is not the machine's owner.
    """
    studio = request.app.state.studio
    if not studio.logins.owns_machine(user_of(request)):
        raise BadInput(msg("only {name} may do this: it concerns everybody's jobs", name=studio.logins.names[0]))
    return studio
