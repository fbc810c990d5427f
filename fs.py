"""Write files that are either complete or absent, even after a kill or a power cut.

Each file is written under another name beside its place, synced, renamed, and the folder is synced.
"""

import errno
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

PATIENCE = 2.0
"""Seconds that a file is waited for which another program holds open (Windows)."""
PAUSE = 0.1
IN_USE = (5, 32, 33, 1224)
"""Windows' error numbers for a file that a program holds open, locked or mapped: access denied, sharing violation, lock
violation, user mapped file. 5 also stands for a true want of rights."""
NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What file systems answer that know no sync; EIO and ENOSPC are failures."""
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems without hard links answer to `os.link` (FAT, exFAT, many network folders)."""


def write_whole(path: Path, data: bytes | str, *, private: bool = False, folders: bool = True) -> None:
    """Write a small file. After a power cut at any moment, `path` has its old content or all of the new.

    When this returns, the content survives a power cut.

    Args:
        path: the file.
        data: its content; text is written as UTF-8.
        private: only the user may read the file.
        folders: missing folders are made.

    Raises:
        OSError: the file cannot be written.
    """
    if folders:
        make_folder(path.parent)
    part = part_path(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(part, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
        commit(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write data as JSON, as `write_whole` does. Raise OSError."""
    write_whole(path, json.dumps(data, indent=1))


def overwrite(path: Path, text: str) -> None:
    """Change a small file in its place, where a full disk has no room for another. A kill in between damages it.

    Raises:
        OSError: there is no such file, or it cannot be written.
    """
    with open(path, "r+b") as file:
        file.write(text.encode())
        file.truncate()


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, so that they survive a power cut. Raise OSError."""
    missing, above = [], folder
    while not above.is_dir() and above != above.parent:
        missing.append(above)
        above = above.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)  # two processes may make it at the same moment
        sync_folder(one.parent)


def part_path(path: Path) -> Path:
    """Return a new name in the same folder (so the rename is atomic), hidden on POSIX, and no image's or video's."""
    return path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")


def commit(part: Path, path: Path, patience: float = PATIENCE) -> None:
    """Make a file durable and give it its final name, replacing an older file.

    Args:
        part: the complete file, in the same folder.
        path: its final name.
        patience: seconds to retry while another program holds the older file open (Windows).

    Raises:
        OSError: the file cannot be synced or renamed.
    """
    _patiently(lambda: _sync_file(part), patience)
    _patiently(lambda: os.replace(part, path), patience)
    sync_folder(path.parent)


def link_whole(source: Path, path: Path) -> None:
    """Give a file a second name, by a hard link where the disk has them, else by a copy; whole or absent, durable.

    Raises:
        OSError: it could not be done; nothing is left then.
    """
    part = part_path(path)
    try:
        link_or_copy(source, part)
        commit(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links. Raise OSError."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or a file system without links; what else is wrong a copy meets, too
        shutil.copyfile(source, target)


def commit_new(part: Path, path: Path) -> None:
    """Rename a file as `commit` does, but never over an existing one: raise FileExistsError then, and keep `part`."""
    _patiently(lambda: _sync_file(part), PATIENCE)
    if sys.platform == "win32":
        _patiently(lambda: os.rename(part, path), PATIENCE)  # refuses a name that is taken; POSIX' rename does not
        return
    try:
        os.link(part, path)
    except OSError as e:
        if e.errno not in NO_LINKS:
            raise
        with open(path, "xb"):  # claims the name; a kill just here leaves an empty file
            pass
        os.replace(part, path)
    else:
        part.unlink()
    sync_folder(path.parent)


def read_patiently(path: Path) -> bytes:
    """Read a small file that another process may be replacing just now: Windows refuses that for a moment.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    content = b""

    def read() -> None:
        nonlocal content
        content = path.read_bytes()

    _patiently(read, PATIENCE)
    return content


def sync_tree(folder: Path) -> None:
    """Make every file of a folder durable, before the folder is renamed to its final name. Raise OSError."""
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


def _sync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as e:
            if e.errno not in NO_SYNC:
                raise


def _patiently(act: Callable[[], object], seconds: float) -> None:
    """Retry for some seconds while a player, a virus scanner or the indexer holds a file open (Windows)."""
    tries = max(1, round(seconds / PAUSE))
    for left in range(tries - 1, -1, -1):
        try:
            act()
            return
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
        time.sleep(PAUSE)


def retry_in_use(act: Callable[[], object], seconds: float, on_refusal: Callable[[], object] = lambda: None) -> None:
    """Do what Windows refuses while a program holds a file open or mapped, trying again for that long.

    Args:
        act: may have done a part of its work before it was refused; it is called again from its start.
        seconds: how long to try.
        on_refusal: called once, at the first refusal, to have the file let go.

    Raises:
        OSError: it was refused to the end, or for another reason (at once).
    """
    end, refused = time.monotonic() + seconds, False
    while True:
        try:
            act()
            return
        except OSError as e:
            if getattr(e, "winerror", None) not in IN_USE or (refused and time.monotonic() > end):
                raise
        if not refused:
            refused = True
            on_refusal()
        time.sleep(PAUSE)


def sync_folder(folder: Path) -> None:
    """Make names durable: a rename survives a power cut only once the folder is on the disk. Windows has no such call.

    A folder that cannot be opened or synced (some network file systems; no right to list it) is no error: the file is.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def nearest_existing(folder: Path) -> Path:
    """Return the folder itself or its nearest existing parent, e.g. to find the folder's disk."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def visible_files(folder: Path, pattern: str) -> list[Path]:
    """Return what a pattern finds in a folder, sorted, without hidden files and what hidden folders hold.

    Other programs put such files beside ours: macOS `._name` with an equal suffix on disks of other systems, editors
    their locks, downloaders a cache. Raise OSError if the folder cannot be read.
    """
    found = folder.glob(pattern)
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def is_link(path: Path) -> bool:
    """Tell whether a path is a symbolic link, or a junction of Windows."""
    try:
        found = path.lstat()
    except OSError:
        return False
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(found.st_mode) or (junction is not None and getattr(found, "st_reparse_tag", 0) == junction)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that it holds; of a link only the link. Raise OSError."""
    if is_link(folder):
        folder.unlink()
    else:
        shutil.rmtree(folder)


# Keep the data folder to its user: folders 0700, files 0600 on POSIX. On Windows a user's folders inherit that.


OTHERS = 0o077
KNOWN = {"jobs.db", "huey.db", "jobs", "presets", "uploads", "session.key"}
"""What a data folder holds: another one that FANSLYMOTION_HOME may name (a home folder, /tmp) keeps its rights."""

_users_umask: int | None = None
"""The user's own umask while `private_files` is active; a process has only one umask."""


@contextmanager
def private_files() -> Iterator[None]:
    """Make new files readable by the user only, in a process that writes into the data folder."""
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
    """Use the user's own umask inside `private_files`, for files outside of the data folder (videos, models)."""
    if _users_umask is None:
        yield
        return
    os.umask(_users_umask)
    try:
        yield
    finally:
        os.umask(OTHERS)


def users_umask() -> int:
    """Return the user's umask for a child process that writes elsewhere; -1 if it is unchanged."""
    return -1 if _users_umask is None else _users_umask


def make_private(home: Path) -> None:
    """Make the data folder, or close an existing one to other users. Raise OSError if it cannot be made.

    Its files are changed only if the folder itself was open: a closed folder hides them whatever their rights.
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
