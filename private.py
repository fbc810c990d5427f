"""Keep the data folder to its user: folders 0700, files 0600 on POSIX. On Windows a user's folders inherit that."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OTHERS = 0o077
KNOWN = {"jobs.db", "huey.db", "jobs", "presets", "uploads", "session.key"}
"""What a data folder holds: another one that FANSLYMOTION_HOME may name (a home folder, /tmp) keeps its rights."""

_users_umask: int | None = None
"""The person's own umask while `private_files` is in force: a process has only one."""


@contextmanager
def private_files() -> Iterator[None]:
    """For a process that writes into the data folder: new files are the user's alone."""
    global _users_umask
    if sys.platform == "win32" or _users_umask is not None:
        yield
        return
    _users_umask = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(_users_umask)
        _users_umask = None


@contextmanager
def users_files() -> Iterator[None]:
    """Within `private_files`, for what is not the data folder's: a delivered video, a model. As any program's files."""
    if _users_umask is None:
        yield
        return
    os.umask(_users_umask)
    try:
        yield
    finally:
        os.umask(OTHERS)


def users_umask() -> int:
    """For a child process that writes elsewhere; -1 leaves it as it is."""
    return -1 if _users_umask is None else _users_umask


def make_private(home: Path) -> None:
    """Make the data folder, or close one that is there to others. Raise OSError if it cannot be made.

    Its files are gone through only when the folder itself was open: a closed one hides them whatever their rights.
    """
    try:
        home.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not home.is_dir():
            raise
    if sys.platform == "win32":
        return
    found = home.stat()
    names = set(os.listdir(home))
    ours = found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX and (not names or names & KNOWN)
    if not ours or not found.st_mode & OTHERS:
        return
    with suppress(OSError):  # a file system without rights, or one that refuses to change them
        home.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
        for folder, _, files in os.walk(home):
            for path in (Path(folder), *(Path(folder) / name for name in files)):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & OTHERS:
                    path.chmod(stat.S_IMODE(mode) & ~OTHERS)
