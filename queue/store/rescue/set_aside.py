"""Setting a damaged job list aside, so that a kill or a power cut at any moment loses nothing.

1. A hidden folder is filled: the damaged file and its WAL under a second name each, and the new list, complete.
2. One rename gives the folder its name. From here on the change is decided; before, nothing has changed.
3. The old WAL is removed and the new list takes the old one's name. Who finds this undone does it (`finish`).

The WAL must go first: SQLite would take its frames for the new list's. Nothing opens the list in between, because
everything in this program opens it under the lock and finishes first (`Store`).
"""

import logging
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from ....errors import StoreError
from ....fs import sync_folder
from ....messages import msg

log = logging.getLogger(__name__)

NEXT_NAME = "next.db"
"""The new list, while it lies in the folder of the old one: it has not taken its place yet."""

WAIT_SECONDS = 30.0
"""For transactions under way, before the list is read."""

Build = Callable[[Path, Path, Path], None]
"""Makes the new list: (the old one, with its WAL beside it; path of the new one; where the old one will lie)."""


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock under which the list is opened and replaced. Where no lock can be written nothing is replaced."""
    lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)
    try:
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()


def unfinished(path: Path) -> Path | None:
    """The folder of an old list whose new one has not taken its place yet."""
    prefix = _kept_prefix(path)
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                if entry.name.startswith(prefix) and os.path.exists(os.path.join(entry.path, NEXT_NAME)):
                    return Path(entry.path)
    except OSError:
        return None
    return None


def finish(path: Path) -> Path | None:
    """Under `only_one`: let the new list take the old one's place; the folder of the old one, None if all is done.

    Raise StoreError while another program holds the old one open, which Windows does not allow.
    """
    kept = unfinished(path)
    if kept is None:
        return None
    try:
        for suffix in ("-wal", "-shm"):  # a process that still has them open must not share them with the new list
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        sync_folder(path.parent)
        os.replace(kept / NEXT_NAME, path)
        sync_folder(path.parent)
        sync_folder(kept)
    except OSError as e:
        raise _stuck(path, e) from e
    return kept


def set_aside(path: Path, judge: Callable[[], str], build: Build) -> Path | None:
    """Under `only_one`, with no connection of this process to the list: replace it when `judge` says it is damaged.

    Return the folder in which the old one lies from now on, None when it is not damaged (any more). Raise StoreError.
    """
    if finish(path) is not None or not path.exists():
        return None
    kept = _kept_folder(path)
    part = kept.with_name(f".{kept.name}.part")
    try:
        with _no_writes(path):
            reason = judge()
            if not reason:
                return None
            for left in path.parent.glob(f".{_kept_prefix(path)}*.part"):  # of a killed one
                shutil.rmtree(left)
            part.mkdir()
            for name in (f"{path.name}-wal", path.name):  # a checkpoint in between moves pages from that to this
                _link(path.with_name(name), part / name)
            build(part / path.name, part / NEXT_NAME, kept)
            _sync(part / NEXT_NAME)
            sync_folder(part)
            os.replace(part, kept)
            sync_folder(path.parent)
            if sys.platform != "win32":  # there the lock itself keeps the file open, and that cannot be replaced
                finish(path)
        finish(path)
    except (OSError, sqlite3.Error) as e:
        raise _stuck(path, e) from e
    log.error("The job list %s is damaged (%s); it is kept in %s, and a new one takes its place", path, reason, kept)
    return kept


def _kept_prefix(path: Path) -> str:
    return f"{path.stem}.damaged-"


def _kept_folder(path: Path) -> Path:
    first = path.with_name(_kept_prefix(path) + time.strftime("%Y%m%d-%H%M%S"))
    kept, number = first, 1
    while kept.exists():
        number += 1
        kept = first.with_name(f"{first.name}-{number}")
    return kept


def _link(source: Path, target: Path) -> None:
    """A second name: it needs no room, and what others still write to the file is there, too. Else a copy."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return
    except OSError:
        with suppress(FileNotFoundError):
            shutil.copyfile(source, target)
            _sync(target)


@contextmanager
def _no_writes(path: Path) -> Iterator[None]:
    """Hold SQLite's write lock, where the file is whole enough to have one: nothing is acknowledged meanwhile."""
    if path.stat().st_size == 0:  # SQLite would remove its WAL
        yield
        return
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as e:
            if getattr(e, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
        yield
    finally:
        connection.close()


def _sync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _stuck(path: Path, error: Exception) -> StoreError:
    why = getattr(error, "strerror", None) or error
    return StoreError(
        msg(
            "the jobs' database {place} is damaged and cannot be set aside: {error}; end every fanslymotion "
            "program, then start again",
            place=path,
            error=why,
        )
    )
