"""Decide whether the job list is damaged. Every repair depends on this decision."""

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ...errors import StoreError
from ...messages import codes
from ..types import Status
from .records import records
from .rows import BadRow

DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
LOOK_SECONDS = 30.0
"""How long a check of the whole file waits for another program's lock."""

JSON_COLUMNS = (
    ("request", dict, False),
    ("warnings", list, False),
    ("result", dict, True),
    ("failure", dict, True),
    ("tried", list, True),
    ("last_death", dict, True),
    ("photo", dict, True),
)
"""JSON columns of a job's row: name, type of the value, and whether the column may be empty."""

TABLES = frozenset(("jobs", "events", "previews", "workers", "meta"))
LATER_TABLES = {3: "folders"}
"""Tables added later, by the schema version that added them (`database.MIGRATIONS`)."""


class DamagedError(StoreError):
    """The database file is damaged, or may be. `Store` asks `find_damage` to decide.

    Args:
        sentence: what was found, for the user.
        sure: only the file's content can be the reason.
        replaced: the damaged list was set aside and a new one was created, so a second try succeeds.
        code: the fault's code, if it is not LIST_DAMAGED.
    """

    code = codes.LIST_DAMAGED

    def __init__(self, sentence: str, sure: bool = True, replaced: bool = False, code: str = "") -> None:
        super().__init__(sentence, code=code)
        self.sure, self.replaced = sure, replaced


def sqlite_error(error: BaseException | None) -> sqlite3.Error | None:
    """Return the driver's error behind peewee's, or None. Of several, return the most specific one.

    SQLite itself rolls back when a disk is full. peewee's rollback then fails with the unspecific SQLITE_ERROR, and
    the cause stands further down the exception chain.
    """
    found = None
    while error is not None:
        if isinstance(error, sqlite3.Error):
            found = error
            if _code(error) != sqlite3.SQLITE_ERROR:
                return found
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return found


def sqlite_code(error: BaseException | None) -> int | None:
    """Return SQLite's primary result code, or None if SQLite did not raise the error."""
    found = sqlite_error(error)
    return None if found is None else _code(found)


def means_damage(error: BaseException) -> bool:
    """Tell whether an error was caused by the content of the database file."""
    if isinstance(error, BadRow | UnicodeDecodeError):  # the latter: SQLite quotes what it cannot read
        return True
    found = sqlite_error(error)
    if found is None:
        return False
    undecodable = isinstance(found, sqlite3.OperationalError) and _code(found) is None  # raised by Python's module
    return undecodable or _code(found) in DAMAGE_CODES


def is_emptied(path: Path) -> bool:
    """Tell whether the file is empty while its WAL is not. SQLite would delete the WAL when it opens such a file."""
    return _size(path) == 0 and _size(Path(f"{path}-wal")) > 0


def find_damage(path: Path, jobs_dir: Path) -> str:
    """Check the whole database file. Takes about one second for 100 MB.

    Args:
        path: the SQLite file.
        jobs_dir: the folder of all jobs' folders; jobs in it prove that an empty list is not a new one.

    Returns:
        What is wrong, or "" if every row can be read and the indexes match their tables.

    Raises:
        sqlite3.Error: the file cannot be checked now, e.g. because it is locked.
    """
    if not path.exists():
        return ""
    if is_emptied(path):
        return "it is empty"
    try:
        with closing(sqlite3.connect(path, timeout=LOOK_SECONDS)) as connection:
            (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            found = said if said != "ok" else _tables(connection, jobs_dir) or _contents(connection)
            return " ".join(found.removeprefix("*** in database main ***").split())
    except (sqlite3.Error, UnicodeDecodeError) as e:
        if means_damage(e):
            return str(e)
        raise


def _tables(connection: sqlite3.Connection, jobs_dir: Path) -> str:
    """Name a missing table. A file without tables is new, unless it has pages or there are folders of jobs."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if pages <= 1 and not there and next(records(jobs_dir), None) is None:
        return ""
    expected = set(TABLES)
    if "meta" in there:
        found = connection.execute("SELECT value FROM meta NOT INDEXED WHERE key = 'schema'").fetchone()
        version = int(found[0]) if found and str(found[0]).isdecimal() else 0
        expected |= {name for since, name in LATER_TABLES.items() if since <= version}
    return f"the table {min(expected - there)} is gone" if expected - there else ""


def _contents(connection: sqlite3.Connection) -> str:
    """Read every row, and name the first value of a job's row that this program cannot have written."""
    connection.row_factory = sqlite3.Row
    for row in connection.execute("SELECT * FROM jobs NOT INDEXED"):
        if wrong := wrong_value(dict(row)):
            return f"{wrong} of job {row['id']} cannot be read"
    for table in sorted(TABLES - {"jobs"}):
        for _ in connection.execute(f"SELECT * FROM {table} NOT INDEXED"):
            pass
    return ""


def wrong_value(row: dict[str, Any]) -> str:
    """Return the name of a column whose value this program cannot have written, or "" if all are valid."""
    for name in ("position", "created"):
        if not isinstance(row[name], int | float) or not math.isfinite(row[name]):
            return name
    if row["status"] not in list(Status):
        return "status"
    for name, kind, may_be_empty in JSON_COLUMNS:
        text = row.get(name, "")  # the list may be older than the column
        if not (may_be_empty and text == "") and not _holds(text, kind):
            return name
    return ""


def _holds(text: Any, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, TypeError, RecursionError):
        return False


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
