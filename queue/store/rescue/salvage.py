"""A new job list from what can be read of a damaged one, and of the jobs' folders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peewee import BooleanField, DoubleField, Field, IntegerField, Model, SqliteDatabase

from ....messages import Message, codes, msg
from ....settings import Settings
from ...types import Status
from ..damage import wrong_value
from ..database import prepare
from ..records import JOB_ID, is_deleted, read_record, records
from ..rows import FILLING, REMOVING, VIDEO_NAME, photo_of
from ..tables import Tables
from . import pages

FEWEST_COLUMNS = 12
"""Of a job's row, whatever version wrote it; the tables for events and workers are told apart by their values."""
KINDS = frozenset(("log", "status", "watch", "fault"))
IDS_LEFT_OUT = 100_000
"""Ids of events begin so far above the last one that was found, for followers name the last one they have seen."""
STATE_UNKNOWN = msg(
    "the job list was damaged, and how this job stood is not known; retry the job if it is still wanted"
).coded(codes.STATE_UNKNOWN)
READ_AGAIN = "[WARN] The job list was damaged; this job was read from the old one"


@dataclass
class Salvage:
    """Rows for the new list. unknown: how many jobs are told by their folders alone."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[int, dict[str, Any]] = field(default_factory=dict)
    paused: bool = False
    unknown: int = 0

    @property
    def waiting(self) -> int:
        return sum(row["status"] == Status.QUEUED for row in self.jobs.values())


def read(database: Path, settings: Settings, now: float) -> Salvage:
    """All that can be saved of this file, its WAL and the jobs' folders. now: Unix seconds. Raise OSError."""
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
        elif values[:1] == ["paused"] and len(values) == 2:
            found.paused = values[1] == "1"
    ended = _last_statuses(found.events)
    for job_id, job in list(found.jobs.items()):
        removed = found.folders.get(job_id, {}).get("state") == REMOVING
        if removed or not _go_on(job, ended.get(job_id), settings.job_dir(job_id)):
            del found.jobs[job_id]
    _from_folders(found, settings, now)
    for job_id in found.jobs:
        found.folders.pop(job_id, None)  # it was handed in since then
    found.events = {n: event for n, event in found.events.items() if event["job"] in found.jobs}
    return found


def build(found: Salvage, path: Path, notice: Message, now: float) -> None:
    """Write the new list to `path`, which does not exist yet; nothing but that one file is left. Raise StoreError."""
    database = SqliteDatabase(str(path), pragmas=(("journal_mode", "wal"), ("synchronous", "full")))
    tables = Tables(database)
    prepare(database, tables)
    try:
        with database.atomic():
            _insert(tables.Job, list(found.jobs.values()))
            _insert(tables.Event, list(found.events.values()))
            _insert(tables.Folder, list(found.folders.values()))
            first = max(found.events, default=0) + IDS_LEFT_OUT
            for n, (job_id, job) in enumerate(found.jobs.items()):
                said = {"job": job_id, "time": now, "kind": "log", "level": "WARNING", "text": READ_AGAIN}
                status = {"job": job_id, "time": now, "kind": "status", "text": job["status"]}
                _insert(tables.Event, [{"id": first + 2 * n, **said}])
                _insert(tables.Event, [{"id": first + 2 * n + 1, **status}])
            meta = {"notice": json.dumps(notice.to_json()), "paused": "1" if found.paused else "0"}
            _insert(tables.Meta, [{"key": key, "value": value} for key, value in meta.items()])
            database.execute_sql("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'events'", (first,))
    finally:
        database.close()


def _insert(table: type[Model], rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), 30):
        table.insert_many(rows[start : start + 30]).execute()


def _job(tables: Tables, values: list[pages.Value]) -> dict[str, Any] | None:
    """A job's row, None when the values are no such one."""
    if len(values) < FEWEST_COLUMNS or not (isinstance(values[0], str) and JOB_ID.fullmatch(values[0])):
        return None
    row = _named(tables.Job, values)
    if row is None:
        return None
    return None if wrong_value(row) else row


def _event(tables: Tables, rowid: int, values: list[pages.Value]) -> dict[str, Any] | None:
    if not 0 < rowid < 1 << 53 or len(values) < 5 or values[0] is not None:
        return None
    if not (isinstance(values[1], str) and JOB_ID.fullmatch(values[1])) or values[3] not in KINDS:
        return None
    row = _named(tables.Event, [rowid, *values[1:]])
    if row is None:
        return None
    return row if _is_json(row["data"]) else None


def _folder(tables: Tables, values: list[pages.Value]) -> dict[str, Any] | None:
    """Whose folder it is that has no job yet, or no more."""
    if len(values) != 4 or not (isinstance(values[0], str) and JOB_ID.fullmatch(values[0])):
        return None
    return _named(tables.Folder, values) if values[1] in (FILLING, REMOVING) else None


def _is_json(text: str) -> bool:
    try:
        return not text or isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _named(table: Any, values: list[pages.Value]) -> dict[str, Any] | None:
    """Values by their columns' names and of their columns' types; None when one is of another."""
    fields: list[Field] = table._meta.sorted_fields
    if len(values) > len(fields):
        return None
    row = {}
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
    """The newest status of each job that its events tell, and when that was."""
    found = {}
    for n in sorted(events):
        event = events[n]
        if event["kind"] == "status" and event["text"] in list(Status):
            found[event["job"]] = (event["text"], event["time"])
    return found


def _go_on(job: dict[str, Any], told: tuple[str, float] | None, folder: Path) -> bool:
    """Bring the row to where the job stands now; False when it is not to be in the new list.

    told: its newest status by its events. A deleted job has no folder any more, or one with a mark.
    """
    if not folder.is_dir() or is_deleted(folder):
        return False
    if (record := read_record(folder)) is not None:  # nothing of it ever changes, and one of both may be altered
        request = json.dumps(record.request.to_json())
        job.update(name=record.name, owner=record.owner, request=request, created=record.created)
    status, at = Status(job["status"]), job["finished"]
    if not status.final and told is not None and Status(told[0]).final:
        status, at = Status(told[0]), told[1]  # the row's newest version was not to be read
    if not status.final and job["cancel"]:
        status, at = Status.CANCELLED, job["last_progress"] or job["created"]
    if not status.final:
        if (folder / VIDEO_NAME).exists():
            return False  # finished all the same: `import_orphans` reads the rest from the video
        status, at = Status.QUEUED, None
        job.update(worker="", eta=None)
    elif status is Status.DONE and not job["result"]:
        return False
    job.update(status=status.value, finished=at, revision=job["revision"] + 1)
    return True


def _from_folders(found: Salvage, settings: Settings, now: float) -> None:
    """Accepted jobs whose row is lost. They may have been cancelled, so they do not start by themselves."""
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
        }


def say(found: Salvage, kept: Path, settings: Settings) -> Message:
    """The notice for the page, the doctor and the command line."""
    return msg(
        "the job list was damaged; it was kept as {place} and a new one was begun. Jobs in it: {jobs}; waiting: "
        "{waiting}; to be retried if still wanted, because nothing tells how they stood: {unknown}. Finished videos "
        "are still in {folder}",
        place=kept,
        jobs=len(found.jobs),
        waiting=found.waiting,
        unknown=found.unknown,
        folder=settings.jobs_dir,
    )
