"""Let one set-up run at a time."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .report import say


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock that the system frees when this process ends in any way; say so while waiting for another."""
    with path.open("a+b") as file:
        waiting = False
        while not _try_lock(file.fileno()):
            if not waiting:
                say("another start is setting up; waiting for it …")
                waiting = True
            time.sleep(0.2)
        yield  # closing the file frees the lock


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
