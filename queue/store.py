"""The open store: database and tables, with the three ways to use them. Thread-safe: a connection per thread."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import SqliteDatabase

from ..errors import StoreError
from ..private import make_private
from ..settings import Settings
from .database import SCHEMA, DamagedError, check, open_database, prepare, relaxed, set_aside, storage_errors, write
from .tables import Tables

log = logging.getLogger(__name__)

_opening = threading.Lock()


class Store:
    """Raise StoreError when the database cannot be used. A damaged SQLite file is kept aside and a new one begun."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        try:
            make_private(settings.home)
            self.db = open_database(settings)
        except OSError as e:
            folder = e.filename or settings.home
            raise StoreError(
                f"the data folder {folder} cannot be made: {e.strerror or e}; choose another one with "
                "FANSLYMOTION_HOME or FANSLYMOTION_DATABASE"
            ) from e
        self.tables = Tables(self.db)
        self._seen = threading.local()
        self._begin()

    @property
    def sqlite(self) -> bool:
        return isinstance(self.db, SqliteDatabase)

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction that takes the write lock at its start, so that it waits instead of failing half-way."""
        self._follow_the_path()
        with write(self.db):
            yield

    @contextmanager
    def read(self) -> Iterator[None]:
        """Several reads of one state of the database."""
        self._follow_the_path()
        with storage_errors(self.db), self.db.atomic():
            yield

    @contextmanager
    def errors(self) -> Iterator[None]:
        """The driver's errors become StoreError, with what to do."""
        self._follow_the_path()
        with storage_errors(self.db):
            yield

    def alone(self) -> None:
        """In a transaction: no other one that asks for this goes on until it commits. SQLite's are alone anyway."""
        if not self.sqlite:
            meta = self.tables.Meta
            list(meta.select().where(meta.key == SCHEMA).for_update())

    def relax(self) -> None:
        """For the calling thread's connection: progress and log lines need no sync of their own."""
        relaxed(self.db)

    def check(self) -> str:
        """ "ok", or what SQLite's integrity check says."""
        return check(self.db)

    def set_meta(self, key: str, value: str) -> None:
        meta = self.tables.Meta
        with self.write():
            meta.insert(key=key, value=value).on_conflict(
                conflict_target=[meta.key], update={meta.value: value}
            ).execute()

    def put_notice_away(self) -> None:
        """Whoever owns the machine has read it."""
        self.set_meta("notice", "")

    def meta(self, key: str) -> str:
        with self.errors():
            row = self.tables.Meta.get_or_none(self.tables.Meta.key == key)
        return row.value if row else ""

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.db.is_closed():
            self.db.close()

    def _begin(self) -> None:
        with _opening:
            try:
                prepare(self.db, self.tables)
            except DamagedError:
                self.db.close()
                kept = set_aside(self.db)
                prepare(self.db, self.tables)
                if kept is not None:
                    self._say_damaged(kept)

    def _follow_the_path(self) -> None:
        """A connection stays with its SQLite file when that is set aside, replaced or removed: leave it, begin anew.

        What is written to the old one would be acknowledged, and no worker would ever see it.
        """
        if not isinstance(self.db, SqliteDatabase) or self.db.in_transaction():
            return
        now = _identity(self.db.database)
        before, self._seen.file = getattr(self._seen, "file", now), now
        if now == before and now is not None:
            return
        if not self.db.is_closed():
            log.warning("The jobs' database %s was replaced by another file, or removed", self.db.database)
            self.db.close()
        self._begin()
        self._seen.file = _identity(self.db.database)

    def _say_damaged(self, kept: Path) -> None:
        text = (
            f"the job list was damaged; it was kept as {kept} and a new one was begun. "
            f"Finished videos are still in {self.settings.jobs_dir}"
        )
        log.error("%s", text)
        self.set_meta("notice", text)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
