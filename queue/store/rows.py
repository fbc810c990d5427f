"""Rows of the store as the frozen types that callers see."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...messages import Message, as_message, codes
from ...pipeline.request import VideoRequest
from ...settings import Settings
from ..types import Event, Job, Status

VIDEO_NAME = "video.mp4"
PHOTO_NAME = "photo.png"
WORK_NAME = "work"
RECORD_NAME = "job.json"
GONE_NAME = "deleted"
"""In a job's folder: the finished video, the normalised photo, what the worker keeps while it works, what was handed
in by whom (for the case that the list is lost), and a mark that what is still here was deleted."""


FILLING, REMOVING = "filling", "removing"
"""State of a folder without a job: a submit is at work in it; or it is to be removed, and no job comes of it."""


class BadRow(Exception):
    """This cannot have been written there: the database is damaged (`damage` judges)."""


def to_job(row: Any, settings: Settings, place: int) -> Job:
    """Raise BadRow for one that is none of ours."""
    try:
        return _to_job(row, settings, place)
    except (ValueError, TypeError, AttributeError) as e:
        raise BadRow(f"the row of job {row.id!r} holds what was never written there") from e


def _to_job(row: Any, settings: Settings, place: int) -> Job:
    result = json.loads(row.result) if row.result else {}
    folder = settings.job_dir(row.id)
    status = Status(row.status)
    return Job(
        id=row.id,
        name=row.name,
        owner=row.owner,
        request=_request(json.loads(row.request), folder),
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
        error=read_failure(row),
        warnings=read_messages(row.warnings),
        folder=folder,
        video=folder / VIDEO_NAME if status is Status.DONE else None,
        width=result.get("width", 0),
        height=result.get("height", 0),
        frames=result.get("frames", 0),
        fps=result.get("fps", 0),
        favourite=bool(row.favourite),
    )


def _request(found: dict[str, Any], folder: Path) -> VideoRequest:
    """One with a setting that does not exist must not hide all other jobs: what was handed in lies in the folder."""
    try:
        return VideoRequest.from_json(found)
    except BadInput:
        try:
            return VideoRequest.from_json(json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["request"])
        except (OSError, ValueError, KeyError, BadInput):
            return VideoRequest(seed=0)


def read_failure(row: Any) -> Message:
    """Why a job failed. The column `failure` holds the message; a row of an earlier version has its English text alone.

    Raise ValueError.
    """
    if row.failure:
        return Message.from_json(json.loads(row.failure))
    return as_message(row.error, codes.EARLIER_VERSION if row.error else "")


def read_messages(text: str) -> tuple[Message, ...]:
    """What `write_messages` wrote, or an earlier version's list of sentences. Raise ValueError."""
    return tuple(map(Message.from_json, json.loads(text)))


def write_messages(messages: Iterable[str]) -> str:
    return json.dumps([as_message(message).to_json() for message in messages])


def write_message(message: Message | None) -> str:
    """ "" for none."""
    return json.dumps(message.to_json()) if message else ""


def read_message(text: str) -> Message:
    """What `write_message` wrote, or an earlier version's sentence."""
    try:
        return Message.from_json(json.loads(text))
    except ValueError:
        return as_message(text)


def to_event(row: Any) -> Event:
    """Raise BadRow for one that is none of ours."""
    try:
        data = json.loads(row.data) if row.data else {}
    except ValueError as e:
        raise BadRow(f"event {row.id} holds what was never written there") from e
    return Event(row.id, row.job, row.time, row.kind, row.level, row.text, data)


def photo_of(folder: Path) -> Path:
    return folder / PHOTO_NAME
