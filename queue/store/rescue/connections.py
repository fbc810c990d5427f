"""Track each thread's connection to the list's file, so that another thread can close it while it is idle.

Windows refuses to replace an open file, and a page has connections in threads that may be idle for hours.
"""

import os
import sqlite3
import threading
import traceback
from weakref import WeakSet

CLOSE_SECONDS = 2.0
"""How long to wait for another thread's statement."""

Identity = tuple[int, int]


class ThreadConnection:
    """A thread's connection to the SQLite file.

    Attributes:
        path: the file's path.
        lock: held while the connection is in use.
        connection: None before the first use and after a close.
        file: identity of the file that the connection is to.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        self.file: Identity | None = None
        with _guard:
            _connections.add(self)


_connections: "WeakSet[ThreadConnection]" = WeakSet()
_guard = threading.Lock()


def close_idle(path: str) -> None:
    """Close this process's connections to a file, except those that stay in use for CLOSE_SECONDS."""
    with _guard:
        found = [own for own in _connections if own.path == path]
    for own in found:
        if own.lock.acquire(timeout=CLOSE_SECONDS):
            try:
                if own.connection is not None:
                    own.connection.close()
                    own.connection = None
            finally:
                own.lock.release()


def file_identity(path: str) -> Identity | None:
    """Return device and inode of a file, or None if it does not exist."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def clear_frames(error: BaseException | None) -> None:
    """Clear the local variables of an error's frames: an unfinished statement keeps its file open after a close."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
