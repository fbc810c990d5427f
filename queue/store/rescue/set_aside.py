"""Set a damaged job list aside, so that a kill or a power cut at any moment loses nothing.

1. Fill a hidden folder: the damaged file and its WAL under a second name each, and the complete new list.
2. Give the folder its name with one rename. Before it nothing has changed; after it the change is decided.
3. Remove the old WAL and give the new list the old one's name. The next process completes this step (`finish`).

The WAL must be removed first: SQLite would apply its frames to the new list. No process opens the list in between,
because `Store` opens it under the lock and calls `finish` first.
"""

import logging
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from ....errors import StoreError
from ....fs import sync_folder
from ....messages import msg

log = logging.getLogger(__name__)

NEXT_NAME = "next.db"
"""Name of the new list in the folder of the old one, before it takes the old one's place."""

WAIT_SECONDS = 30.0
"""How long to wait for running transactions before the list is read."""

Build = Callable[[Path, Path, Path], None]
"""Build the new list from (the old one with its WAL beside it, path of the new one, final folder of the old one)."""


@contextmanager
def list_lock(path: Path) -> Generator[None]:
    """Hold the lock under which the list is opened and replaced. If no lock file can be written, go on without it."""
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
    """Return the folder of an old list whose new one has not taken its place yet, or None."""
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
    """Move the new list into the old one's place, if that is still to be done. Call it under `list_lock`.

    Returns:
        The folder of the old list; None if there was nothing to do.

    Raises:
        StoreError: another program has the old list open, and Windows refuses to replace it.
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
    """Replace a damaged list. Call it under `list_lock`, without a connection of this process to the list.

    Args:
        path: the list.
        judge: returns what is wrong with the list, "" if nothing.
        build: makes the new list.

    Returns:
        The folder that now holds the old list; None if it is not damaged (any more).

    Raises:
        StoreError: the list cannot be set aside.
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
            for left in path.parent.glob(f".{_kept_prefix(path)}*.part"):  # of a killed process
                shutil.rmtree(left)
            part.mkdir()
            # The WAL first: a checkpoint in between moves pages from the WAL into the file.
            for name in (f"{path.name}-wal", path.name):
                _link(path.with_name(name), part / name)
            build(part / path.name, part / NEXT_NAME, kept)
            _sync(part / NEXT_NAME)
            sync_folder(part)
            os.replace(part, kept)
            sync_folder(path.parent)
            if sys.platform != "win32":  # Windows: `_no_writes` keeps the file open, so it cannot be replaced yet
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
    """Give a file a second name, else copy it. A second name needs no space and shows later writes to the file."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        return
    except OSError:
        with suppress(FileNotFoundError):
            shutil.copyfile(source, target)
            _sync(target)


@contextmanager
def _no_writes(path: Path) -> Generator[None]:
    """Hold SQLite's write lock, if the damaged file still allows it: no write is acknowledged meanwhile."""
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
