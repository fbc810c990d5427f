"""Measure folders: bytes on the disk, and bytes that their removal frees."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from ..fs import is_link


def folder_size(folder: Path) -> int:
    """Return the bytes of a folder's files, a file with several names once. Files that vanish meanwhile are ignored."""
    return sum({(found.st_dev, found.st_ino): found.st_size for found in _files(folder)}.values())


def freed_bytes(*folders: Path) -> int:
    """Return the bytes that are free again when these folders are removed.

    Files with names elsewhere and what links lead to stay.
    """
    return _freed(found for folder in folders if not is_link(folder) for found in _files(folder, os.lstat))


def freed_by(files: Iterable[Path]) -> int:
    """Return the bytes that are free again when these files are removed. Those that are not there count nothing."""
    found: list[os.stat_result] = []
    for path in files:
        with suppress(OSError):
            found.append(path.lstat())
    return _freed(found)


def _freed(files: Iterable[os.stat_result]) -> int:
    found: dict[tuple[int, int], list[os.stat_result]] = {}
    for one in files:
        if stat.S_ISREG(one.st_mode):
            found.setdefault((one.st_dev, one.st_ino), []).append(one)
    return sum(names[0].st_size for names in found.values() if len(names) >= names[0].st_nlink)


def _files(folder: Path, ask: Callable[[str], os.stat_result] = os.stat) -> Iterator[os.stat_result]:
    for place, _, names in os.walk(folder):  # leaves out a folder that vanishes, and goes on
        for name in names:
            with suppress(OSError):
                found = ask(os.path.join(place, name))
                if stat.S_ISREG(found.st_mode):
                    yield found
