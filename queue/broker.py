"""The Huey side: a message only wakes a consumer, which then takes the next job in the table's order.

Huey is at-most-once: a message is deleted before its task runs. So nothing depends on a message's arrival;
`wake_if_needed` sends what is missing.
"""

import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from huey import Huey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from ..errors import StoreError
from ..messages import msg
from ..settings import Settings
from .store.database import postgres_limits

log = logging.getLogger(__name__)

PICK_UP_SECONDS = 0.2
"""The longest pause between two looks into the queue."""

LOCK_SECONDS = 30
NAME = "fanslymotion"
TASK_MODULE, TASK_NAME = "fanslymotion.queue.tasks", "process_video_generation"
"""The message's address. The same for who sends and who runs it, or Huey deletes the message as unknown."""


class JsonSerializer(Serializer):
    """Messages as JSON, not pickle: who can write to the queue's database must not run code in the worker."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data).encode()

    def _deserialize(self, data: bytes) -> Any:
        return Message(*json.loads(bytes(data)))


def make_huey(settings: Settings) -> Huey:
    """SQLite beside the jobs' database; Huey's PostgreSQL storage when that is on PostgreSQL."""
    options: dict[str, Any] = {"results": False, "serializer": JsonSerializer()}
    if settings.database.startswith("sqlite"):
        settings.home.mkdir(parents=True, exist_ok=True)
        return _sqlite_huey(settings.home / "huey.db", options)
    from huey import PostgresHuey

    return PostgresHuey(NAME, dsn=settings.database, **options, **postgres_limits(settings.database))


def _sqlite_huey(path: Path, options: dict[str, Any]) -> Huey:
    def make() -> Huey:
        return SqliteHuey(NAME, filename=str(path), timeout=LOCK_SECONDS, **options)

    try:
        return make()
    except sqlite3.OperationalError as e:
        raise StoreError(
            msg(
                "the queue's file {place} cannot be used: {error}; check that its folder is writable",
                place=path,
                error=e,
            )
        ) from e
    except sqlite3.DatabaseError:
        # Only wake-up calls are in it: a new one will do, the sweep sends them again.
        log.warning("The queue's file %s was damaged and is made anew; no job was in it", path)
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
        return make()


def register(huey: Huey, run: Callable[[str], None]) -> Callable[[str], Any]:
    """Make `run` the task; calling what is returned sends a message."""

    def task(job_id: str) -> None:
        run(job_id)

    task.__module__ = TASK_MODULE
    return huey.task(name=TASK_NAME)(task)


def wake_if_needed(huey: Huey, wake: Callable[[str], Any], waiting: int) -> None:
    """Send a message when jobs wait and none is under way."""
    if waiting and not huey.pending_count():
        wake("")


def consume(huey: Huey) -> Any:
    """A consumer with one thread; the process kind leaves orphans when its parent is killed, and is not on Windows."""
    return huey.create_consumer(
        workers=1,
        worker_type="thread",
        periodic=False,
        initial_delay=0.05,
        max_delay=PICK_UP_SECONDS,
        backoff=1.3,
        check_worker_health=True,
    )
