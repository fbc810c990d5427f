"""Stream several videos as one ZIP: nothing of it is held in memory or written to the disk."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from zipfile import ZIP_STORED, ZipFile, ZipInfo

CHUNK = 1 << 20
FIRST_TIME, LAST_TIME = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
"""Years, months, … seconds that a zip can hold. A clock that was wrong has other ones."""


LEFT_OUT = "left-out.txt"
"""Name of the text that says which videos are not in the zip, and why."""


class Member(NamedTuple):
    """A file of the ZIP.

    Attributes:
        name: Its name in the ZIP.
        path: The file.
        time: Unix seconds.
    """

    name: str
    path: Path
    time: float


class _Pending:
    """Buffer what the ZIP has written and the browser has not been sent yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def is_plain_file(path: Path) -> bool:
    """Tell whether a regular file exists: a link could lead to the rest of the disk."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode) and not path.parent.is_symlink()
    except (OSError, ValueError):
        return False


def stream_zip(members: list[Member], tell: Callable[[list[str]], str] | None = None) -> Iterator[bytes]:
    """Yield a ZIP in pieces. Videos are stored uncompressed, as they do not get smaller.

    Args:
        members: Its files.
        tell: Called with the names of those that have gone before their turn; returns what `LEFT_OUT` says, the zip's
            last file, or "" for no such file. None = nothing may be left out.

    Raises:
        OSError: A file has gone meanwhile; the ZIP is then incomplete, which browsers report.
    """
    pending = _Pending()
    gone: list[str] = []
    with ZipFile(pending, "w", ZIP_STORED) as archive:  # type: ignore[arg-type]
        for member in members:
            try:
                source = member.path.open("rb")
            except OSError:
                if tell is None:
                    raise
                gone.append(member.name)
                continue
            with source, archive.open(_info(member.name, member.time), "w", force_zip64=True) as to:
                while data := source.read(CHUNK):
                    to.write(data)
                    yield pending.take()
        if text := tell(gone) if tell else "":
            archive.writestr(_info(LEFT_OUT, time.time()), text.encode())
    yield pending.take()


def _info(name: str, seconds: float) -> ZipInfo:
    return ZipInfo(name, min(max(time.localtime(seconds)[:6], FIRST_TIME), LAST_TIME))
