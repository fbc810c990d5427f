"""The open store: database and tables, with the three ways to use them. Thread-safe: a connection per thread.

A damaged SQLite file is replaced wherever the damage is met, by whoever meets it: every way leads through `_use`.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import SqliteDatabase

from ...errors import StoreError
from ...fs import make_private
from ...messages import msg
from ...settings import Settings
from .damage import DamagedError, emptied, find_damage
from .database import SCHEMA, open_database, prepare, relaxed, storage_errors, write
from .rescue import salvage
from .rescue.seats import Seat, identity, let_go, vacate
from .rescue.set_aside import finish, only_one, set_aside, unfinished
from .tables import Tables

log = logging.getLogger(__name__)

AGAIN_SECONDS = 30.0
"""After a list that could not be set aside, until that is tried again."""

_opening = threading.RLock()


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
                msg(
                    "the data folder {folder} cannot be made: {error}; choose another one with FANSLYMOTION_HOME or "
                    "FANSLYMOTION_DATABASE",
                    folder=folder,
                    error=e.strerror or e,
                )
            ) from e
        self.tables = Tables(self.db)
        self.path = Path(self.db.database) if self.sqlite else Path()
        self._threads = threading.local()
        self._doubted: object = None
        self._insisted = False
        self._stuck, self._again_at = "", 0.0
        if self.sqlite:
            with self._use():
                pass
        else:
            prepare(self.db, self.tables)

    @property
    def sqlite(self) -> bool:
        return isinstance(self.db, SqliteDatabase)

    @contextmanager
    def write(self) -> Iterator[None]:
        """One transaction that takes the write lock at its start, so that it waits instead of failing half-way."""
        with self._use():
            outermost = not self.db.in_transaction()
            with write(self.db):
                yield
            if self.sqlite and outermost and self._file() != self._seat.file:
                raise StoreError(
                    msg("the job list was replaced while this was written; see how things stand and try again")
                )

    @contextmanager
    def read(self) -> Iterator[None]:
        """Several reads of one state of the database."""
        with self._use(), storage_errors(self.db), self.db.atomic():
            yield

    @contextmanager
    def errors(self) -> Iterator[None]:
        """The driver's errors become StoreError, with what to do."""
        with self._use(), storage_errors(self.db):
            yield

    def alone(self) -> None:
        """In a transaction: no other one that asks for this goes on until it commits. SQLite's are alone anyway."""
        if not self.sqlite:
            meta = self.tables.Meta
            list(meta.select().where(meta.key == SCHEMA).for_update())

    def relax(self) -> None:
        """For the calling thread's connection: progress and log lines need no sync of their own."""
        with self._use():
            relaxed(self.db)

    def check(self) -> str:
        """ "ok", or what is wrong with the whole file."""
        if not self.sqlite:
            return "ok"
        with self.errors():
            return find_damage(self.path, self.settings.jobs_dir) or "ok"

    def examine(self) -> None:
        """Look at the whole file, and replace it when it is damaged. Raise StoreError when that cannot be done."""
        if (found := self.check()) != "ok":
            self._replace(found, sure=True)

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
        if self.sqlite:
            self._seat.connection = None

    # --- the file -----------------------------------------------------------------------------------------------

    @property
    def _seat(self) -> Seat:
        if not hasattr(self._threads, "seat"):
            self._threads.seat = Seat(str(self.path))
        return self._threads.seat

    @contextmanager
    def _use(self) -> Iterator[None]:
        """Around all that is done with the database: on the right file, and with what is to be done about damage."""
        if not self.sqlite or self.db.in_transaction():
            yield
            return
        met = None
        with self._seat.lock:
            self._sit_down()
            try:
                yield
            except DamagedError as e:
                if e.replaced:
                    raise
                let_go(e)
                met = e.with_traceback(None)
        if met is not None:
            self._tell(met)

    def _tell(self, met: DamagedError) -> None:
        if self._replace(str(met), met.sure):
            raise DamagedError(
                msg("{what}; a new one was begun with what could be read of it. Try again", what=met.message),
                replaced=True,
            )
        raise StoreError(met.message)

    def _sit_down(self) -> None:
        """A connection stays with its SQLite file when that is set aside, replaced or removed: leave it, begin anew.

        What is written to the old one would be acknowledged, and no worker would ever see it.
        """
        seat, now = self._seat, self._file()
        if seat.connection is not None and not self.db.is_closed():
            if now is not None and now == seat.file:
                return
            log.warning("The jobs' database %s was replaced by another file, or removed", self.path)
        self.close()
        try:
            self._begin()
            said = ""
        except DamagedError as e:
            let_go(e)
            said, sure = str(e), e.sure
        if said:
            self._replace(said, sure)
            self._begin()
        seat.connection, seat.file = self.db.connection(), identity(seat.path)

    def _file(self) -> object:
        """The file that is to be used, None for one that a new list is to replace."""
        return None if unfinished(self.path) else identity(str(self.path))

    def _begin(self) -> None:
        with _opening, only_one(self.path):
            finish(self.path)
            if emptied(self.path):
                raise DamagedError(msg("the jobs' database {place} is damaged (it is empty)", place=self.path))
            old = self.path.exists()
            with storage_errors(self.db):
                fresh = not self.db.table_exists("meta")
            if old and fresh and (found := find_damage(self.path, self.settings.jobs_dir)):
                raise DamagedError(msg("the jobs' database {place} is damaged ({error})", place=self.path, error=found))
            prepare(self.db, self.tables)

    def _replace(self, said: str, sure: bool) -> bool:
        """Set the damaged list aside, with a new one in its place; False when it is not damaged.

        said: what was met. sure: such an error comes from the file and from nothing else, so that a second one counts
        even where a look at the whole file finds nothing.
        """
        with _opening:
            before = self._seat.file
            self.close()
            if time.monotonic() < self._again_at:
                raise StoreError(self._stuck)
            again = sure and self._doubted == before and not self._insisted
            self._doubted, self._insisted = before, self._insisted or again
            vacate(str(self.path))
            try:
                with only_one(self.path):
                    kept = set_aside(self.path, lambda: self._judge(said if again else ""), self._build)
            except StoreError as e:
                self._stuck, self._again_at = e.message, time.monotonic() + AGAIN_SECONDS
                raise
        if kept is not None:
            from .import_orphans import import_orphans_quietly

            threading.Thread(target=import_orphans_quietly, args=(self,), name="adopt", daemon=True).start()
        return kept is not None or identity(str(self.path)) != before

    def _judge(self, otherwise: str) -> str:
        return find_damage(self.path, self.settings.jobs_dir) or otherwise

    def _build(self, old: Path, new: Path, kept: Path) -> None:
        now = time.time()
        found = salvage.read(old, self.settings, now)
        salvage.build(found, new, salvage.say(found, kept, self.settings), now)
