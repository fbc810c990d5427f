"""Serve actions on several jobs at once: cancel, delete, mark, and send their videos in one file."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ...errors import FanslymotionError, NotFound
from ..auth.identity import owner_of
from ..error_response import in_each_language
from ..exports.zips import Member, is_plain_file, stream_zip
from .job_routes import JOB_ID, VIDEO_GONE, file_stem
from .requests import read_json

router = APIRouter(prefix="/studio")

MOST = 200
"""Jobs in one request."""
IDS = rf"^{JOB_ID.pattern}(,{JOB_ID.pattern})*$"

JobId = Annotated[str, StringConstraints(pattern=rf"^{JOB_ID.pattern}$")]


class ManyIn(BaseModel):
    """Body of `POST /studio/many`.

    Attributes:
        act: The action.
        jobs: Ids of the jobs.
    """

    model_config = ConfigDict(extra="forbid")

    act: Literal["cancel", "delete", "favourite", "unfavourite"]
    jobs: list[JobId] = Field(min_length=1, max_length=MOST)


@router.post("/many")
async def many(request: Request) -> dict[str, Any]:
    """Cancel, delete or mark several jobs, one after the other.

    The answer's `refused` holds the reasons of failures by id and language. Deleting a job that is gone is no failure.
    """
    studio, owner, wanted = request.app.state.studio, owner_of(request), await read_json(request, ManyIn)

    acts: dict[str, Callable[[str], Any]] = {
        "cancel": lambda job_id: studio.jobs.cancel(job_id, owner),
        "delete": lambda job_id: studio.delete(studio.jobs.get(job_id, owner).id),
        "favourite": lambda job_id: studio.jobs.set_favourite(studio.jobs.get(job_id, owner).id, True),
        "unfavourite": lambda job_id: studio.jobs.set_favourite(studio.jobs.get(job_id, owner).id, False),
    }

    def work() -> dict[str, Any]:
        done: list[str] = []
        refused: dict[str, dict[str, str]] = {}
        for job_id in dict.fromkeys(wanted.jobs):
            try:
                acts[wanted.act](job_id)
                done.append(job_id)
            except FanslymotionError as e:
                if not (isinstance(e, NotFound) and wanted.act == "delete"):
                    refused[job_id] = in_each_language(e.message)
        return {"done": done, "refused": refused}

    return await asyncio.to_thread(work)


@router.get("/zip")
async def videos(request: Request, jobs: Annotated[str, Query(max_length=13 * MOST, pattern=IDS)]) -> Response:
    """Send the videos of several finished jobs as one ZIP. jobs: their ids, separated by commas."""
    studio, owner = request.app.state.studio, owner_of(request)

    def find() -> list[Member]:
        found = [studio.jobs.get(job_id, owner) for job_id in dict.fromkeys(jobs.split(","))]
        there = [job for job in found if job.video is not None and is_plain_file(job.video)]
        return [Member(f"{file_stem(job)}.mp4", job.video, job.finished or time.time()) for job in there]

    members = await asyncio.to_thread(find)
    if not members:
        raise NotFound(VIDEO_GONE)
    name = f"fanslymotion-{len(members)}-videos.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(stream_zip(members), media_type="application/zip", headers=headers)
