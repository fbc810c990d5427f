"""Let one set-up run at a time."""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .report import say

HELD = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK, getattr(errno, "EDEADLOCK", errno.EDEADLK))
"""What systems answer where another process holds the lock. Windows: EACCES, EDEADLOCK."""


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock that the system frees when this process ends in any way; say so while waiting for another.

    On a disk that has no locks (some network folders) it is said that none is held.
    """
    with path.open("a+b") as file:
        waiting = False
        while not _try_lock(file.fileno()):
            if not waiting:
                say("another start is setting up; waiting for it …")
                waiting = True
            time.sleep(0.2)
        yield  # closing the file frees the lock


def _try_lock(fd: int) -> bool:
    """Return False while another process holds the lock. Say so where there are none, and return True."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        if e.errno in HELD:
            return False
        say(f"this disk has no locks ({e.strerror}); start no second set-up in this folder")
    return True
