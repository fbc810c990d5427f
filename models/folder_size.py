"""Measure folders: bytes on the disk, and bytes that their removal frees."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def folder_size(folder: Path) -> int:
    """Return the bytes of a folder's files, a file with several names once. Files that vanish meanwhile are ignored."""
    return sum({(found.st_dev, found.st_ino): found.st_size for found in _files(folder)}.values())


def freed_bytes(*folders: Path) -> int:
    """Return the bytes that are free again when these folders are removed: not those of files with names elsewhere."""
    return _freed(found for folder in folders for found in _files(folder))


def freed_by(files: Iterable[Path]) -> int:
    """Return the bytes that are free again when these files are removed. Those that are not there count nothing."""
    found: list[os.stat_result] = []
    for path in files:
        with suppress(OSError):
            found.append(path.stat())
    return _freed(found)


def _freed(files: Iterable[os.stat_result]) -> int:
    found: dict[tuple[int, int], list[os.stat_result]] = {}
    for one in files:
        found.setdefault((one.st_dev, one.st_ino), []).append(one)
    return sum(names[0].st_size for names in found.values() if len(names) >= names[0].st_nlink)


def _files(folder: Path) -> Iterator[os.stat_result]:
    for place, _, names in os.walk(folder):  # leaves out a folder that vanishes, and goes on
        for name in names:
            with suppress(OSError):
                found = os.stat(os.path.join(place, name))
                if stat.S_ISREG(found.st_mode):
                    yield found
