"""Open the jobs' database, migrate its schema, and translate its errors into sentences for the user."""

# peewee and playhouse are only partly typed: what their methods take and return is unknown to the type checker.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import json
import logging
import re
import sqlite3
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from peewee import (
    BigIntegerField,
    BooleanField,
    CharField,
    Database,
    ImproperlyConfigured,
    IntegerField,
    PeeweeException,
    SqliteDatabase,
)
from playhouse.db_url import connect
from playhouse.migrate import SchemaMigrator, migrate

from ...errors import StoreError
from ...messages import codes, msg
from ...presets.loras import BEFORE, with_list_of_loras
from ...settings import Settings
from .damage import DamagedError, means_damage, sqlite_code, sqlite_error
from .drivers import kept_out
from .rows import BadRow, searched
from .tables import CleanText, Tables

log = logging.getLogger(__name__)

IDLE_MS, LOCK_MS, STATEMENT_MS = 10_000, 15_000, 30_000
"""Limits of a PostgreSQL session, in milliseconds.

The server closes a connection that is idle inside a transaction for IDLE_MS (a suspended laptop). Other connections
wait a little longer for its locks (LOCK_MS), so they continue. Heartbeats survive this, because a job counts as lost
only after `recovery.LEASE_SECONDS`."""

BUSY_SECONDS = 30
"""How long an SQLite statement waits for another program's lock. `?timeout=` in the database URL overrides it."""

SCHEMA = "schema"
"""Key of the schema version in the table `meta`."""

Migration = Callable[[Database, Tables], None]
"""One step from version n to n + 1, run in a transaction. It is written for the tables of version n."""


def _add_favourite(database: Database, _: Tables) -> None:
    column = BooleanField(default=False)
    migrate(SchemaMigrator.from_database(database).add_column("jobs", "favourite", column))


def _add_folders(database: Database, tables: Tables) -> None:
    database.create_tables([tables.Folder], safe=True)


def _add_messages(database: Database, _: Tables) -> None:
    """Add the columns of coded messages. Older rows keep their English sentences, which `rows` shows unchanged."""
    migrator = SchemaMigrator.from_database(database)
    for name, empty in (("failure", ""), ("tried", "[]"), ("last_death", "")):
        migrate(migrator.add_column("jobs", name, CleanText(default=empty)))
    migrate(migrator.add_column("workers", "cause", CleanText(default="")))
    migrate(migrator.drop_column("workers", "stage"))  # nothing read it


def _add_photo(database: Database, _: Tables) -> None:
    """Version 5. For older jobs, the photo's size and hash are read from its file when needed."""
    migrate(SchemaMigrator.from_database(database).add_column("jobs", "photo", CleanText(default="")))


def _add_part(database: Database, _: Tables) -> None:
    """Version 6. What of a model is being loaded, by the name that its family has for it."""
    migrate(SchemaMigrator.from_database(database).add_column("jobs", "part", CharField(64, default="")))


def _add_abilities(database: Database, _: Tables) -> None:
    """Version 7. Each worker tells what it can run; its video memory moves from the table `meta` into its row."""
    migrator = SchemaMigrator.from_database(database)
    for name, column in (
        ("gpu", CharField(64, default="")),
        ("abilities", CleanText(default="")),
        ("vram", BigIntegerField(default=0)),
        ("crashes", IntegerField(default=0)),
        ("last_crash", CleanText(default="")),
    ):
        migrate(migrator.add_column("workers", name, column))
    migrate(migrator.add_column("jobs", "waits_for", CleanText(default="")))
    database.execute_sql("DELETE FROM meta WHERE key = 'vram'")


def _add_last_photo(database: Database, _: Tables) -> None:
    """Version 8. Older jobs have no picture that their video ends with."""
    migrate(SchemaMigrator.from_database(database).add_column("jobs", "last_photo", CleanText(default="")))


def _list_loras(database: Database, tables: Tables) -> None:
    """Version 9. A request has a list of LoRAs in place of one and its strength."""
    table = tables.Job
    rows: list[tuple[str, str]] = list(table.select(table.id, table.request).tuples())
    for job_id, text in rows:
        try:
            request: Any = json.loads(text)
        except ValueError:  # such a row is read from its record
            continue
        if isinstance(request, dict) and any(name in request for name in BEFORE):
            now = json.dumps(with_list_of_loras(request))
            table.update(request=now).where(table.id == job_id).execute()


MIGRATIONS: tuple[Migration, ...] = (
    _add_favourite,
    _add_folders,
    _add_messages,
    _add_photo,
    _add_part,
    _add_abilities,
    _add_last_photo,
    _list_loras,
)
"""Step i migrates version i + 1 to i + 2. A new database is created with the current tables."""


def open_database(settings: Settings) -> Database:
    """Prepare the database. It connects on first use, with one connection per thread.

    SQLite runs in WAL mode with full synchronisation: every acknowledged write survives a power cut.

    Raises:
        StoreError: the URL is wrong, or PostgreSQL's driver is not installed.
    """
    url = settings.database
    try:
        scheme = urlsplit(url).scheme
    except ValueError as e:
        raise StoreError(
            msg("FANSLYMOTION_DATABASE is {url!r}: {error}; correct it", url=_without_password(url), error=e)
        ) from e
    if not scheme.startswith(("sqlite", "postgres", "psycopg")):
        raise StoreError(
            msg(
                "FANSLYMOTION_DATABASE is {url!r}; it must begin with sqlite:/// or postgresql://",
                url=_without_password(url),
            )
        )
    try:
        if not scheme.startswith("sqlite"):
            database = connect(url, unquote_user=True, unquote_password=True, **postgres_limits(url))
            database.get_binary_type()  # fails here, not later in Tables, if the driver is missing
            return database
        options: dict[str, Any] = {} if "timeout=" in url else {"timeout": BUSY_SECONDS}
        options["database"] = unquote(urlsplit(url).path[1:])
        options["check_same_thread"] = False  # `Store` closes other threads' connections, under their locks
        database = connect(url, pragmas=(("journal_mode", "wal"), ("synchronous", "full")), **options)
    except ImproperlyConfigured as e:
        if kept_out:
            raise StoreError(
                msg("FANSLYMOTION_DATABASE must name PostgreSQL when the program starts; set it, and start again")
            ) from e
        raise StoreError(
            msg('PostgreSQL needs its driver: {python} -m pip install "psycopg[binary]"', python=sys.executable)
        ) from e
    except (ValueError, RuntimeError, PeeweeException) as e:
        raise StoreError(msg("FANSLYMOTION_DATABASE is {url!r}: {error}", url=_without_password(url), error=e)) from e
    Path(database.database).parent.mkdir(parents=True, exist_ok=True)
    database.register_function(searched, "searched", 1)  # SQLite's own lower() knows ASCII only
    return database


def postgres_limits(url: str) -> dict[str, Any]:
    """Return libpq parameters that end every wait for a dead or suspended peer. Parameters in the URL win."""
    limits = {
        "connect_timeout": 10,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,
        # For the server. The last three are its own keepalives, which detect that this machine is gone.
        "options": f"-c idle_in_transaction_session_timeout={IDLE_MS} -c lock_timeout={LOCK_MS} "
        f"-c statement_timeout={STATEMENT_MS} "
        "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    }
    own = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return {name: value for name, value in limits.items() if name not in own}


@contextmanager
def storage_errors(database: Database) -> Generator[None]:
    """Convert the drivers' errors into StoreError with a sentence for the user.

    The connection is closed after an error: SQLite's stays read-only if it was opened so, PostgreSQL's may be dead.

    Raises:
        StoreError: the database failed. DamagedError if the file may be damaged.
    """
    outermost = not database.in_transaction()
    try:
        if outermost and not (isinstance(database, SqliteDatabase) or database.is_connection_usable()):
            database.close()  # PostgreSQL was restarted; the next statement reconnects
        yield
    except (PeeweeException, sqlite3.Error, BadRow, UnicodeDecodeError) as e:
        error = _explain(e, database)
        if outermost:
            _leave(database)
        raise error from e
    except StoreError:  # from a transaction inside this one
        if outermost:
            _leave(database)
        raise


def _leave(database: Database) -> None:
    with suppress(PeeweeException, sqlite3.Error, OSError):
        database.close()


def _explain(e: Exception, database: Database) -> StoreError:
    """Convert a driver's error into what its user should know and do; a DamagedError if the file may be damaged."""
    text = str(sqlite_error(e) or e)  # the cause, not the rollback that fails after SQLite's own rollback
    place = database.database if isinstance(database, SqliteDatabase) else msg("the PostgreSQL database")
    code = sqlite_code(e)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        seconds = getattr(database, "timeout", BUSY_SECONDS)
        return StoreError(
            msg(
                "the jobs' database {place} was locked by another program for {seconds:g} s; close what has it "
                "open (a backup, a database browser) and try again",
                place=place,
                seconds=seconds,
            ),
            code=codes.LIST_LOCKED,
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError(
            msg("the disk is full, nothing could be written to {place}; free some space and try again", place=place),
            code=codes.DISK_FULL,
        )
    if means_damage(e) and isinstance(database, SqliteDatabase):
        return DamagedError(msg("the jobs' database {place} is damaged ({error})", place=place, error=text))
    if code == sqlite3.SQLITE_ERROR:  # our statements are correct, so tables or columns may be missing
        return DamagedError(
            msg("the jobs' database {place} cannot be used: {error}", place=place, error=text),
            sure=False,
            code=codes.NOT_WRITABLE,
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(
            msg(
                "the jobs' database {place} cannot be read or written ({error}); check that disk and what "
                "connects it, then try again",
                place=place,
                error=text,
            )
        )
    if code == sqlite3.SQLITE_READONLY:
        return StoreError(
            msg("the jobs' database {place} cannot be written; make it and its folder writable", place=place)
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(
            msg("the jobs' database {place} cannot be opened; check that its folder is there and writable", place=place)
        )
    return StoreError(msg("the jobs' database {place} cannot be used: {error}", place=place, error=text))


@contextmanager
def write(database: Database) -> Generator[None]:
    """Run a transaction that holds SQLite's write lock from its start: what it reads stays valid until it commits."""
    with storage_errors(database):
        if database.in_transaction():
            yield
        elif isinstance(database, SqliteDatabase):
            with database.atomic("IMMEDIATE"):
                yield
        else:
            with database.atomic():
                yield


def prepare(database: Database, tables: Tables, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables, or migrate older ones step by step.

    Raises:
        StoreError: the database was written by a newer version of this program. It stays unchanged.
    """
    latest = len(migrations) + 1
    with storage_errors(database):
        version = _version(database, tables)
        if version == latest:
            return
    if version is not None and version > latest:
        place = database.database if isinstance(database, SqliteDatabase) else msg("the database")
        raise StoreError(
            msg(
                "{place} was written by a newer fanslymotion (its version is {version}, this program knows "
                "{latest}); update fanslymotion, or move that file away; it was left as it is",
                place=place,
                version=version,
                latest=latest,
            ),
            code=codes.LIST_NEWER,
        )
    with write(database):
        if not isinstance(database, SqliteDatabase):  # a migration may write many rows
            database.execute_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        version = _version(database, tables)  # another process may have migrated while this one waited
        if version is None:
            database.create_tables(tables.all, safe=True)
            tables.Meta.insert(key=SCHEMA, value=str(latest)).on_conflict_ignore().execute()
            return
        for step in migrations[version - 1 :]:
            step(database, tables)
        tables.Meta.update(value=str(latest)).where(tables.Meta.key == SCHEMA).execute()
        if version < latest:
            log.info("The jobs' database was brought from version %d to %d", version, latest)


def _version(database: Database, tables: Tables) -> int | None:
    if not database.table_exists("meta"):
        return None
    row = tables.Meta.get_or_none(tables.Meta.key == SCHEMA)
    if row is None:
        return None
    if not row.value.isdecimal():
        raise BadRow(f"its version is {row.value!r}")
    return int(row.value)


def relax_sync(database: Database) -> None:
    """Stop syncing each write of this thread's connection to the disk: for progress and log lines.

    With WAL the file stays consistent. The next fully synchronised write (a status) syncs these writes too.
    """
    if isinstance(database, SqliteDatabase):
        with storage_errors(database):
            database.execute_sql("PRAGMA synchronous = NORMAL")


def _without_password(url: str) -> str:
    return re.sub(r"//([^/@:]*):[^/@]*@", r"//\1:…@", url)
