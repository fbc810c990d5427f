"""Who has the list's file open: one seat for each thread of a store, which another thread may vacate while it is idle.

Windows replaces no file that anybody has open, and a page has connections in threads that may not work again for
hours.
"""

import os
import sqlite3
import threading
import traceback
from weakref import WeakSet

CLOSE_SECONDS = 2.0
"""How long another thread's statement is waited for."""

Identity = tuple[int, int]


class Seat:
    """A thread's connection. `lock` is held while it is in use; file: which one it is to."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.file: Identity | None = None
        with _guard:
            _seats.add(self)


_seats: "WeakSet[Seat]" = WeakSet()
_guard = threading.Lock()


def vacate(path: str) -> None:
    """Close every connection of this process to that file but those that stay in use."""
    with _guard:
        found = [seat for seat in _seats if seat.path == path]
    for seat in found:
        if seat.lock.acquire(timeout=CLOSE_SECONDS):
            try:
                if seat.connection is not None:
                    seat.connection.close()
                    seat.connection = None
            finally:
                seat.lock.release()


def identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def let_go(error: BaseException | None) -> None:
    """Drop what the frames of an error hold: an unfinished statement keeps its file open when its connection closes."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
