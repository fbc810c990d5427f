"""Convert the store's rows into the frozen types that callers see, and messages into columns."""

import json
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...messages import Message, as_message, codes
from ...pipeline.media.normalised_photo import NormalisedPhoto
from ...pipeline.request import VideoRequest
from ...settings import Settings
from ..types import NOTHING, Crash, Event, Job, Status

# Names in a job's folder.
VIDEO_NAME = "video.mp4"
"""The finished video."""
PHOTO_NAME = "photo.png"
"""The normalised photo."""
LAST_PHOTO_NAME = "last.png"
"""The picture that the video ends with, if one was given."""
WORK_NAME = "work"
"""The folder of the worker's files: checkpoints and an unfinished video."""
BEFORE_NAME = "before.mp4"
"""The video that this one is to be joined to, if it continues one."""
RECORD_NAME = "job.json"
"""The job as it was submitted, for the case that the list is lost."""
GONE_NAME = "deleted"
"""The mark of a deleted job."""

LOSS_EPOCH = 1_577_836_800
"""2020 in Unix seconds. Revisions after a loss count from here, so that they fit PostgreSQL's 32 bits."""

FILLING, REMOVING = "filling", "removing"
"""States of a folder without a job: a submit fills it, or it is to be removed."""


class BadRow(Exception):
    """A row holds a value that this program cannot have written: the database is damaged (`damage` decides)."""


def composed(name: str) -> str:
    """Return a name with each letter as one character where there is one (NFC): a Mac's files have two for й or é."""
    return unicodedata.normalize("NFC", name)


def searched(text: str) -> str:
    """Return a text as it is compared in searches: without case, `composed`."""
    return composed(text.casefold())


def to_job(row: Any, settings: Settings, place: int) -> Job:
    """Convert a row of the table `jobs`.

    Args:
        row: the row.
        settings: tell the job's folder.
        place: 1-based place among the waiting jobs, else 0.

    Raises:
        BadRow: the row holds invalid values.
    """
    try:
        return _to_job(row, settings, place)
    except (ValueError, TypeError, AttributeError) as e:
        raise BadRow(f"the row of job {row.id!r} holds what was never written there") from e


def _to_job(row: Any, settings: Settings, place: int) -> Job:
    result: dict[str, Any] = json.loads(row.result) if row.result else {}
    folder = settings.job_dir(row.id)
    status = Status(row.status)
    last: dict[str, Any] | None = json.loads(row.last_photo) if row.last_photo else None
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
        part=row.part,
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
        photo=NormalisedPhoto.from_json(photo_of(folder), json.loads(row.photo) if row.photo else {}),
        last_photo=None if last is None else NormalisedPhoto.from_json(last_photo_of(folder), last),
        last_name="" if last is None else str(last.get("name", "")),
        waits_for=read_message(row.waits_for) if status is Status.QUEUED else NOTHING,
    )


def _request(found: dict[str, Any], folder: Path) -> VideoRequest:
    """Read a request. If it is invalid, read the record in the folder: one bad row must not hide all other jobs."""
    try:
        return VideoRequest.from_json(found)
    except BadInput:
        try:
            return VideoRequest.from_json(json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))["request"])
        except (OSError, ValueError, KeyError, BadInput):
            return VideoRequest(seed=0)


def read_failure(row: Any) -> Message:
    """Read why a job failed. Rows of earlier versions have the English text only, in the column `error`.

    Raises:
        ValueError: the column `failure` is not a message.
    """
    if row.failure:
        return Message.from_json(json.loads(row.failure))
    return as_message(row.error, codes.EARLIER_VERSION if row.error else "")


def read_messages(text: str) -> tuple[Message, ...]:
    """Read what `write_messages` wrote, or an earlier version's list of sentences. Raise ValueError."""
    return tuple(map(Message.from_json, json.loads(text)))


def write_messages(messages: Iterable[str]) -> str:
    """Write messages as JSON, for a column."""
    return json.dumps([as_message(message).to_json() for message in messages])


def write_message(message: Message | None) -> str:
    """Write a message as JSON, for a column; "" for None."""
    return json.dumps(message.to_json()) if message else ""


def read_message(text: str) -> Message:
    """Read what `write_message` wrote, or an earlier version's sentence."""
    try:
        return Message.from_json(json.loads(text))
    except ValueError:
        return as_message(text)


def write_crash(crash: Crash) -> str:
    """Write a crash as JSON, for a column."""
    return json.dumps({"time": crash.time, "cause": crash.cause.to_json()})


def read_crash(text: str) -> Crash | None:
    """Read what `write_crash` wrote; None if there was no crash."""
    found: dict[str, Any] = json.loads(text) if text else {}
    return Crash(found["time"], Message.from_json(found["cause"])) if found else None


def to_event(row: Any) -> Event:
    """Convert a row of the table `events`. Raise BadRow if it holds invalid values."""
    try:
        data: dict[str, Any] = json.loads(row.data) if row.data else {}
    except ValueError as e:
        raise BadRow(f"event {row.id} holds what was never written there") from e
    return Event(row.id, row.job, row.time, row.kind, row.level, row.text, data)


def revision_after_loss(now: float) -> int:
    """Return a revision above every one that a lost row of a job can have had. now: Unix seconds.

    A page that is open drops a state of a lower revision than it shows.
    """
    return int(now) - LOSS_EPOCH


def photo_of(folder: Path) -> Path:
    """Return the path of the normalised photo in a job's folder."""
    return folder / PHOTO_NAME


def last_photo_of(folder: Path) -> Path:
    """Return the path of the picture that a job's video ends with, in the job's folder; it may have none."""
    return folder / LAST_PHOTO_NAME


def write_last_photo(photo: NormalisedPhoto, name: str) -> str:
    """Write the picture that a video ends with as JSON, for a column. name: for people."""
    return json.dumps(photo.to_json() | {"name": name})


def found_last_photo(folder: Path) -> str:
    """Return the column of a job whose row is lost: what its folder tells of the picture that its video ends with."""
    return json.dumps({"name": LAST_PHOTO_NAME}) if last_photo_of(folder).is_file() else ""
