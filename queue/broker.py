"""Wake workers through Huey. A message only wakes a consumer, which then claims the next job in the table's order.

Huey is at-most-once: a message is deleted before its task runs. So no job depends on a message's arrival:
`wake_if_needed` sends missing ones.
"""

import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import StoreError
from ..messages import msg
from ..settings import Settings
from .store.database import postgres_limits

# isort: split
# After `store`, which imports it without PostgreSQL's driver.
from huey import Huey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

log = logging.getLogger(__name__)

PICK_UP_SECONDS = 0.2
"""Longest pause between two polls of the message queue."""

LOCK_SECONDS = 30
NAME = "fanslymotion"
TASK_MODULE, TASK_NAME = "fanslymotion.queue.tasks", "process_video_generation"
"""Name of the task. Sender and worker must use the same one, or Huey deletes the message as unknown."""


class JsonSerializer(Serializer):
    """Serialise messages as JSON, not pickle: write access to the queue's database must not allow running code."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(*json.loads(bytes(data)))


def make_huey(settings: Settings) -> Huey:
    """Open Huey's storage: SQLite beside the jobs' database, or PostgreSQL if that is on PostgreSQL.

    Raises:
        StoreError: the SQLite file cannot be used.
    """
    options: dict[str, Any] = {"results": False, "serializer": JsonSerializer()}
    if settings.database.startswith("sqlite"):
        settings.home.mkdir(parents=True, exist_ok=True)
        return _sqlite_huey(settings.home / "huey.db", options)
    from huey import PostgresHuey

    return PostgresHuey(NAME, dsn=settings.database, **options, **postgres_limits(settings.database))


def _sqlite_huey(path: Path, options: dict[str, Any]) -> Huey:
    """Open the SQLite file of messages, and make it anew if it is damaged. Raise StoreError."""

    def make() -> Huey:
        return SqliteHuey(NAME, filename=str(path), timeout=LOCK_SECONDS, **options)

    try:
        return make()
    except sqlite3.OperationalError as e:
        raise _unusable(path, e) from e
    except sqlite3.DatabaseError:
        # It holds only wake-up messages, which `wake_if_needed` sends again: replace it by a new file.
        log.warning("The queue's file %s was damaged and is made anew; no job was in it", path)
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
        return make()


def _unusable(place: Path | str, error: Exception) -> StoreError:
    return StoreError(
        msg(
            "the queue's file {place} cannot be used: {error}; check that its folder is writable",
            place=place,
            error=error,
        )
    )


def register(huey: Huey, run: Callable[[str], None]) -> Callable[[str], Any]:
    """Register `run` as the task.

    Returns:
        A function that sends a message for a job's id.
    """

    def task(job_id: str) -> None:
        run(job_id)

    task.__module__ = TASK_MODULE
    return huey.task(name=TASK_NAME)(task)


def wake_if_needed(huey: Huey, wake: Callable[[str], Any], waiting: int) -> None:
    """Send a message if jobs wait and no message is pending.

    Args:
        huey: the message queue.
        wake: sends a message.
        waiting: number of jobs that wait.

    Raises:
        StoreError: the queue cannot be used now: the file's disk is full, another program has locked it, or PostgreSQL
            was restarted.
        sqlite3.DatabaseError: the file is damaged; `make_huey` makes it anew.
    """
    try:
        if waiting and not huey.pending_count():
            wake("")
    except Exception as e:  # sqlite3 or psycopg errors, by storage
        if isinstance(e, sqlite3.DatabaseError) and not isinstance(e, sqlite3.OperationalError):
            raise
        storage: Any = huey.storage
        raise _unusable(getattr(storage, "filename", msg("the PostgreSQL database")), e) from e


def consume(huey: Huey) -> Any:
    """Make a consumer with one thread. Its process mode leaves orphans if its parent is killed; Windows lacks it."""
    return huey.create_consumer(
        workers=1,
        worker_type="thread",
        periodic=False,
        initial_delay=0.05,
        max_delay=PICK_UP_SECONDS,
        backoff=1.3,
        check_worker_health=True,
    )
