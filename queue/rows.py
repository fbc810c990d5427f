"""Rows of the store as the frozen types that callers see."""

import json
from pathlib import Path
from typing import Any

from ..pipeline.request import VideoRequest
from ..settings import Settings
from .types import Event, Job, Status

VIDEO_NAME = "video.mp4"
PHOTO_NAME = "photo.png"
WORK_NAME = "work"
GONE_NAME = "deleted"
"""In a job's folder: the finished video, the normalised photo, what the worker keeps while it works, and a mark that
what is still here was deleted (a player held it open, the program was killed): it is not to come back."""


def to_job(row: Any, settings: Settings, place: int) -> Job:
    result = json.loads(row.result) if row.result else {}
    folder = settings.job_dir(row.id)
    status = Status(row.status)
    return Job(
        id=row.id,
        name=row.name,
        owner=row.owner,
        request=VideoRequest.from_json(json.loads(row.request)),
        status=status,
        cancelling=bool(row.cancel) and status is Status.RUNNING,
        attempt=row.attempt,
        created=row.created,
        started=row.started,
        finished=row.finished,
        place=place,
        stage=row.stage,
        step=row.step,
        steps=row.steps,
        window=row.window,
        windows=row.windows,
        fraction=row.fraction,
        eta_seconds=row.eta,
        revision=row.revision,
        preview_version=row.preview_version,
        worker=row.worker,
        error=row.error,
        warnings=tuple(json.loads(row.warnings)),
        folder=folder,
        video=folder / VIDEO_NAME if status is Status.DONE else None,
        width=result.get("width", 0),
        height=result.get("height", 0),
        frames=result.get("frames", 0),
        fps=result.get("fps", 0),
        favourite=bool(row.favourite),
    )


def to_event(row: Any) -> Event:
    return Event(row.id, row.job, row.time, row.kind, row.level, row.text, json.loads(row.data) if row.data else {})


def photo_of(folder: Path) -> Path:
    return folder / PHOTO_NAME
