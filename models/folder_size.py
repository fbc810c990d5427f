"""Measure folders: what their files take on the disk, and what their removal gives back."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def folder_size(folder: Path) -> int:
    """Return the bytes of a folder's files, a file with several names once. Files that vanish meanwhile are ignored."""
    return sum({(stat.st_dev, stat.st_ino): stat.st_size for stat in _files(folder)}.values())


def freed_bytes(*folders: Path) -> int:
    """Return the bytes that are free again when these folders are removed: not those of files with names elsewhere."""
    return _freed(stat for folder in folders for stat in _files(folder))


def freed_by(files: Iterable[Path]) -> int:
    """Return the bytes that are free again when these files are removed. Those that are not there count nothing."""
    found: list[os.stat_result] = []
    for path in files:
        with suppress(OSError):
            found.append(path.stat())
    return _freed(found)


def _freed(files: Iterable[os.stat_result]) -> int:
    found: dict[tuple[int, int], list[os.stat_result]] = {}
    for stat in files:
        found.setdefault((stat.st_dev, stat.st_ino), []).append(stat)
    return sum(names[0].st_size for names in found.values() if len(names) >= names[0].st_nlink)


def _files(folder: Path) -> Iterator[os.stat_result]:
    with suppress(OSError):  # a whole folder vanishes
        for path in folder.rglob("*"):
            with suppress(OSError):
                if path.is_file():
                    yield path.stat()
