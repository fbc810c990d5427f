"""Open the job store: database and tables, with transactions to write, to read, and to run single statements.

Thread-safe: each thread has its own connection. A damaged SQLite file is replaced by the thread that finds the damage,
because every access passes through `_use`.
"""

# peewee is only partly typed: what its methods take and return is unknown to the type checker.
# pyright: reportUnknownMemberType=false

import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from peewee import SqliteDatabase

from ...errors import StoreError
from ...fs import make_private
from ...messages import msg
from ...settings import Settings
from .damage import DamagedError, find_damage, is_emptied
from .database import SCHEMA, open_database, prepare, relax_sync, storage_errors, write
from .rescue import salvage
from .rescue.connections import ThreadConnection, clear_frames, close_idle, file_identity
from .rescue.set_aside import finish, list_lock, set_aside, unfinished
from .tables import NOTICE, Tables

log = logging.getLogger(__name__)

AGAIN_SECONDS = 30.0
"""Pause after a damaged list could not be set aside, before that is tried again."""

_opening = threading.RLock()


class Store:
    """The jobs' database, ready for use. A damaged SQLite file is set aside and a new one is created.

    Args:
        settings: the data folder and the database's URL.
        on_replaced: called in a thread of its own after a damaged file was replaced (`import_orphans.open_store`).

    Attributes:
        settings: the data folder and the database's URL.
        db: peewee's database.
        tables: the models bound to it.
        path: the SQLite file; the current folder on PostgreSQL.

    Raises:
        StoreError: the database cannot be used.
    """

    def __init__(self, settings: Settings, on_replaced: Callable[["Store"], None] | None = None) -> None:
        self.settings = settings
        self._on_replaced = on_replaced
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
        """The file at which damage was met last, by its identity."""
        self._insisted = False
        """Whether a file was replaced although its check had found nothing, which is done once."""
        self._stuck, self._again_at = "", 0.0
        """Why a damaged file could not be set aside, and when that is tried again, in monotonic seconds."""
        if self.sqlite:
            with self._use():
                pass
        else:
            prepare(self.db, self.tables)

    @property
    def sqlite(self) -> bool:
        """Tell whether the store is on SQLite; else it is on PostgreSQL."""
        return isinstance(self.db, SqliteDatabase)

    @contextmanager
    def write(self) -> Generator[None]:
        """Run a transaction that takes the write lock at its start, so that it waits instead of failing half-way."""
        with self._use():
            outermost = not self.db.in_transaction()
            with write(self.db):
                yield
            if self.sqlite and outermost and self._file() != self._own.file:
                raise StoreError(
                    msg("the job list was replaced while this was written; see how things stand and try again")
                )

    @contextmanager
    def read(self) -> Generator[None]:
        """Run several reads of one consistent state of the database."""
        with self._use(), storage_errors(self.db), self.db.atomic():
            yield

    @contextmanager
    def errors(self) -> Generator[None]:
        """Run statements outside of a transaction; convert the driver's errors into StoreError."""
        with self._use(), storage_errors(self.db):
            yield

    def serialize_writers(self) -> None:
        """Block other transactions that call this until this one commits. SQLite serialises writers by itself."""
        if not self.sqlite:
            meta = self.tables.Meta
            list(meta.select().where(meta.key == SCHEMA).for_update())

    def relax_sync(self) -> None:
        """Stop syncing each write of this thread's connection to the disk (`database.relax_sync`)."""
        with self._use():
            relax_sync(self.db)

    def check(self) -> str:
        """Check the whole file. Return "ok" or what is wrong. PostgreSQL is not checked."""
        if not self.sqlite:
            return "ok"
        with self.errors():
            return find_damage(self.path, self.settings.jobs_dir) or "ok"

    def examine(self) -> None:
        """Check the whole file, and replace it if it is damaged. Raise StoreError if that is impossible."""
        if (found := self.check()) != "ok":
            self._replace(found, sure=True)

    def set_meta(self, key: str, value: str) -> None:
        """Write a value of the table `meta`."""
        meta = self.tables.Meta
        with self.write():
            meta.insert(key=key, value=value).on_conflict(
                conflict_target=[meta.key], update={meta.value: value}
            ).execute()

    def put_notice_away(self) -> None:
        """Remove the notice about a replaced list: the machine's owner has read it."""
        self.set_meta(NOTICE, "")

    def meta(self, key: str) -> str:
        """Read a value of the table `meta`; "" if it is not set."""
        with self.errors():
            row = self.tables.Meta.get_or_none(self.tables.Meta.key == key)
        return row.value if row else ""

    def close(self) -> None:
        """Close this thread's connection."""
        if not self.db.is_closed():
            self.db.close()
        if self.sqlite:
            self._own.connection = None

    # --- the file -----------------------------------------------------------------------------------------------

    @property
    def _own(self) -> ThreadConnection:
        if not hasattr(self._threads, "own"):
            self._threads.own = ThreadConnection(str(self.path))
        return self._threads.own

    @contextmanager
    def _use(self) -> Generator[None]:
        """Run all accesses on the current file, and replace the file if they find it damaged."""
        if not self.sqlite or self.db.in_transaction():
            yield
            return
        met = None
        with self._own.lock:
            self._connect()
            try:
                yield
            except DamagedError as e:
                if e.replaced:
                    raise
                clear_frames(e)
                met = e.with_traceback(None)
        if met is not None:
            self._replace_or_raise(met)

    def _replace_or_raise(self, met: DamagedError) -> None:
        if self._replace(str(met), met.sure):
            raise DamagedError(
                msg("{what}; a new list was made with what could be read of it. Try again", what=met.message),
                replaced=True,
            )
        raise StoreError(met.message)

    def _connect(self) -> None:
        """Connect to the current file, if the connection is to another one.

        An SQLite connection stays with its file when that is set aside, replaced or removed. A write to the old file
        would be acknowledged, and no worker would ever see it.
        """
        own, now = self._own, self._file()
        if own.connection is not None and not self.db.is_closed():
            if now is not None and now == own.file:
                return
            log.warning("The jobs' database %s was replaced by another file, or removed", self.path)
        self.close()
        said, sure = "", False
        try:
            self._begin()
        except DamagedError as e:
            clear_frames(e)
            said, sure = str(e), e.sure
        if said:
            self._replace(said, sure)
            self._begin()
        own.connection, own.file = self.db.connection(), file_identity(own.path)

    def _file(self) -> object:
        """Identify the file to use; None while a new list has not taken its place yet."""
        return None if unfinished(self.path) else file_identity(str(self.path))

    def _begin(self) -> None:
        with _opening, list_lock(self.path):
            finish(self.path)
            if is_emptied(self.path):
                raise DamagedError(msg("the jobs' database {place} is damaged (it is empty)", place=self.path))
            old = self.path.exists()
            with storage_errors(self.db):
                fresh = not self.db.table_exists("meta")
            if old and fresh and (found := find_damage(self.path, self.settings.jobs_dir)):
                raise DamagedError(msg("the jobs' database {place} is damaged ({error})", place=self.path, error=found))
            prepare(self.db, self.tables)

    def _replace(self, said: str, sure: bool) -> bool:
        """Set a damaged list aside and put a new one in its place.

        Args:
            said: the error that was met.
            sure: only the file can cause such an error. A second one then counts as damage even if a check of the
                whole file finds none.

        Returns:
            False if the list is not damaged.
        """
        with _opening:
            before = self._own.file
            self.close()
            if time.monotonic() < self._again_at:
                raise StoreError(self._stuck)
            again = sure and self._doubted == before and not self._insisted
            self._doubted, self._insisted = before, self._insisted or again
            close_idle(str(self.path))
            try:
                with list_lock(self.path):
                    kept = set_aside(self.path, lambda: self._judge(said if again else ""), self._build)
            except StoreError as e:
                self._stuck, self._again_at = e.message, time.monotonic() + AGAIN_SECONDS
                raise
        if kept is not None and self._on_replaced is not None:
            threading.Thread(target=self._on_replaced, args=(self,), name="adopt", daemon=True).start()
        return kept is not None or file_identity(str(self.path)) != before

    def _judge(self, otherwise: str) -> str:
        return find_damage(self.path, self.settings.jobs_dir) or otherwise

    def _build(self, old: Path, new: Path, kept: Path) -> None:
        now = time.time()
        found = salvage.read(old, self.settings, now)
        salvage.build(found, new, salvage.make_notice(found, kept, self.settings), now)
