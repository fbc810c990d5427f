"""Build a new job list from the readable rows of a damaged one and from the jobs' folders."""

# peewee is only partly typed: what its methods take and return is unknown to the type checker.
# pyright: reportUnknownMemberType=false

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peewee import BooleanField, DoubleField, Field, IntegerField, Model, SqliteDatabase

from ....messages import Message, codes, msg
from ....settings import Settings
from ...types import EventKind, Status
from ..damage import wrong_value
from ..database import prepare
from ..records import JOB_ID, is_deleted, read_record, records
from ..rows import FILLING, REMOVING, VIDEO_NAME, found_last_photo, photo_of, revision_after_loss
from ..tables import NOTICE, PAUSED, Tables
from . import pages

FEWEST_COLUMNS = 12
"""Minimum number of columns of a job's row in any version. Rows of other tables are recognised by their values."""
LEFT_OUT = 100_000
"""New events' ids and jobs' revisions are so far above the last ones found, which may not have been the last ones:
followers continue after the last id they have seen, and pages drop older revisions."""
STATE_UNKNOWN = msg(
    "the job list was damaged, and how this job stood is not known; retry the job if it is still wanted"
).coded(codes.STATE_UNKNOWN)
READ_AGAIN = "[WARN] The job list was damaged; this job was read from the old one"


@dataclass
class Salvage:
    """Rows for the new list.

    Attributes:
        jobs: rows of jobs by id.
        folders: rows of folders without a job, by id.
        events: rows of events by id.
        paused: whether the queue was paused.
        unknown: number of jobs that are known from their folders only.
    """

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    folders: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    events: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    paused: bool = False
    unknown: int = 0

    @property
    def waiting(self) -> int:
        """Count the waiting jobs."""
        return sum(row["status"] == Status.QUEUED for row in self.jobs.values())


def read(database: Path, settings: Settings, now: float) -> Salvage:
    """Read what is left of a damaged file, its WAL and the jobs' folders.

    Args:
        database: the damaged SQLite file.
        settings: tell the jobs' folders.
        now: Unix seconds.

    Raises:
        OSError: the file cannot be read.
    """
    found, tables = Salvage(), Tables(SqliteDatabase(None))
    for rowid, values in pages.rows(database, Path(f"{database}-wal")):
        if (job := _job(tables, values)) is not None:
            known = found.jobs.get(job["id"])
            if known is None or job["revision"] >= known["revision"]:
                found.jobs[job["id"]] = job
        elif (event := _event(tables, rowid, values)) is not None:
            found.events[rowid] = event
        elif (owned := _folder(tables, values)) is not None:
            found.folders[owned["id"]] = owned
        elif values[:1] == [PAUSED] and len(values) == 2:
            found.paused = values[1] == "1"
    ended = _last_statuses(found.events)
    for job_id, job in list(found.jobs.items()):
        removed = found.folders.get(job_id, {}).get("state") == REMOVING
        if removed or not _update_to_last_status(job, ended.get(job_id), settings.job_dir(job_id), now):
            del found.jobs[job_id]
    _from_folders(found, settings, now)
    for job_id in found.jobs:
        found.folders.pop(job_id, None)  # it was submitted since then
    found.events = {n: event for n, event in found.events.items() if event["job"] in found.jobs}
    return found


def build(found: Salvage, path: Path, notice: Message, now: float) -> None:
    """Write the new list as one file.

    Args:
        found: the rows.
        path: the new file, which must not exist yet.
        notice: for the user, about the replaced list.
        now: Unix seconds.

    Raises:
        StoreError: the file cannot be written.
    """
    database = SqliteDatabase(str(path), pragmas=(("journal_mode", "wal"), ("synchronous", "full")))
    tables = Tables(database)
    prepare(database, tables)
    try:
        with database.atomic():
            _insert(tables.Job, list(found.jobs.values()))
            _insert(tables.Event, list(found.events.values()))
            _insert(tables.Folder, list(found.folders.values()))
            first = max(found.events, default=0) + LEFT_OUT
            for n, (job_id, job) in enumerate(found.jobs.items()):
                said = {"job": job_id, "time": now, "kind": EventKind.LOG, "level": "WARNING", "text": READ_AGAIN}
                status = {"job": job_id, "time": now, "kind": EventKind.STATUS, "text": job["status"]}
                _insert(tables.Event, [{"id": first + 2 * n, **said}])
                _insert(tables.Event, [{"id": first + 2 * n + 1, **status}])
            meta = {NOTICE: json.dumps(notice.to_json()), PAUSED: "1" if found.paused else "0"}
            _insert(tables.Meta, [{"key": key, "value": value} for key, value in meta.items()])
            database.execute_sql("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'events'", (first,))
    finally:
        database.close()


def _insert(table: type[Model], rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 30):
        table.insert_many(rows[start : start + 30]).execute()


def _job(tables: Tables, values: list[pages.Value]) -> dict[str, Any] | None:
    """Convert values into a job's row, or return None if they are none."""
    if len(values) < FEWEST_COLUMNS or not (isinstance(values[0], str) and JOB_ID.fullmatch(values[0])):
        return None
    row = _named(tables.Job, values)
    if row is None:
        return None
    return None if wrong_value(row) else row


def _event(tables: Tables, rowid: int, values: list[pages.Value]) -> dict[str, Any] | None:
    if not 0 < rowid < 1 << 53 or len(values) < 5 or values[0] is not None:
        return None
    if not (isinstance(values[1], str) and JOB_ID.fullmatch(values[1])) or values[3] not in list(EventKind):
        return None
    row = _named(tables.Event, [rowid, *values[1:]])
    if row is None:
        return None
    return row if _is_json(row["data"]) else None


def _folder(tables: Tables, values: list[pages.Value]) -> dict[str, Any] | None:
    """Convert values into a row of a folder without a job, or return None if they are none."""
    if len(values) != 4 or not (isinstance(values[0], str) and JOB_ID.fullmatch(values[0])):
        return None
    return _named(tables.Folder, values) if values[1] in (FILLING, REMOVING) else None


def _is_json(text: str) -> bool:
    try:
        return not text or isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _named(table: Any, values: list[pages.Value]) -> dict[str, Any] | None:
    """Name the values by their columns; None if a value is of another type than its column."""
    fields: list[Field] = table._meta.sorted_fields
    if len(values) > len(fields):
        return None
    row: dict[str, Any] = {}
    for n, column in enumerate(fields):
        if n >= len(values):
            if column.default is None and not column.null:
                return None
            row[column.name] = column.default
            continue
        value = values[n]
        if value is None:
            if not column.null:
                return None
        elif isinstance(column, DoubleField):
            if not isinstance(value, int | float):
                return None
            value = float(value)
        elif isinstance(column, IntegerField | BooleanField):
            if not isinstance(value, int):
                return None
        elif not isinstance(value, str):
            return None
        row[column.name] = value
    return row


def _last_statuses(events: Mapping[int, dict[str, Any]]) -> dict[str, tuple[str, float]]:
    """Return the newest status of each job according to its events, and its time in Unix seconds."""
    found: dict[str, tuple[str, float]] = {}
    for n in sorted(events):
        event = events[n]
        if event["kind"] == EventKind.STATUS and event["text"] in list(Status):
            found[event["job"]] = (event["text"], event["time"])
    return found


def _update_to_last_status(job: dict[str, Any], told: tuple[str, float] | None, folder: Path, now: float) -> bool:
    """Update a job's row to its last known status.

    Args:
        job: the row.
        told: its newest status according to its events, and that event's time in Unix seconds.
        folder: the job's. A deleted job has none, or one with a mark.
        now: Unix seconds.

    Returns:
        False if the job does not belong into the new list.
    """
    if not folder.is_dir() or is_deleted(folder):
        return False
    if (record := read_record(folder)) is not None:  # a record never changes, so it is more reliable than the row
        request = json.dumps(record.request.to_json())
        job.update(name=record.name, owner=record.owner, request=request, created=record.created)
    status, at = Status(job["status"]), job["finished"]
    if not status.final and told is not None and Status(told[0]).final:
        status, at = Status(told[0]), told[1]  # the row's newest version could not be read
    if not status.final and job["cancel"]:
        status, at = Status.CANCELLED, job["last_progress"] or job["created"]
    if not status.final:
        if (folder / VIDEO_NAME).exists():
            return False  # it is finished: `import_orphans` reads the rest from the video
        status, at = Status.QUEUED, None
        job.update(worker="", eta=None)
    elif status is Status.DONE and not job["result"]:
        return False
    revision = max(job["revision"] + LEFT_OUT, revision_after_loss(now))
    job.update(status=status.value, finished=at, revision=revision)
    return True


def _from_folders(found: Salvage, settings: Settings, now: float) -> None:
    """Add accepted jobs whose row is lost, as failed: they may have been cancelled, so they must not start again."""
    columns = Tables(SqliteDatabase(None)).Job._meta.sorted_fields
    rest = {column.name: column.default for column in columns}
    for folder, record in records(settings.jobs_dir):
        gone = found.folders.get(folder.name, {}).get("state") == REMOVING
        if gone or folder.name in found.jobs or (folder / VIDEO_NAME).exists() or not photo_of(folder).is_file():
            continue
        found.unknown += 1
        found.jobs[folder.name] = rest | {
            "id": folder.name,
            "position": 0.0,
            "name": record.name,
            "owner": record.owner,
            "request": json.dumps(record.request.to_json()),
            "status": Status.FAILED.value,
            "created": record.created,
            "finished": now,
            "error": str(STATE_UNKNOWN),
            "failure": json.dumps(STATE_UNKNOWN.to_json()),
            "last_photo": found_last_photo(folder),
            "revision": revision_after_loss(now),
        }


def make_notice(found: Salvage, kept: Path, settings: Settings) -> Message:
    """Make the notice about the replaced list, for the page, the doctor and the command line."""
    return msg(
        "the job list was damaged; it was kept as {place} and a new one was made. Jobs in it: {jobs}; waiting: "
        "{waiting}; to be retried if still wanted, because nothing tells how they stood: {unknown}. Finished videos "
        "are still in {folder}",
        place=kept,
        jobs=len(found.jobs),
        waiting=found.waiting,
        unknown=found.unknown,
        folder=settings.jobs_dir,
    )
