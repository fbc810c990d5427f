"""Files that appear whole or not at all: write beside the place, sync, rename."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

REPLACE_ATTEMPTS = 20
REPLACE_PAUSE = 0.1
"""Seconds. Windows refuses to replace a file that a player, a virus scanner or the indexer holds open for a moment."""

STALE_AFTER = 3600.0
"""Seconds without a write after which a part file belongs to nobody: its process was killed."""


def part_path(path: Path) -> Path:
    """A fresh name in the same folder (so the rename is atomic), hidden on POSIX, and not an image's or video's."""
    return path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")


def remove_stale_parts(path: Path) -> None:
    """Delete what a killed process left beside `path`. A live one's file is spared: it is written all the time."""
    prefix = f".{path.name}."
    try:
        for entry in os.scandir(path.parent):
            mine = entry.name.startswith(prefix) and entry.name.endswith(".part")
            if mine and time.time() - entry.stat().st_mtime > STALE_AFTER:
                Path(entry.path).unlink(missing_ok=True)
    except OSError:
        return


def commit(part: Path, path: Path) -> None:
    """Make `part` durable and give it its final name, over an older file if there is one. Raise OSError."""
    with open(part, "rb+") as file:
        os.fsync(file.fileno())
    for attempt in range(REPLACE_ATTEMPTS):
        try:
            os.replace(part, path)
            break
        except PermissionError:
            if sys.platform != "win32" or attempt == REPLACE_ATTEMPTS - 1:
                raise
            time.sleep(REPLACE_PAUSE)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The rename itself survives a power cut only once the folder is on the disk. Windows has no such call."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems refuse to sync a folder
            os.fsync(fd)
    finally:
        os.close(fd)


def nearest_existing(folder: Path) -> Path:
    """The folder itself, or the first one above it that is there: whose disk it will lie on."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
