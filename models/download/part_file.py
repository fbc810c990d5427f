"""Keep the unfinished file of a download, hashed while it grows, and verify files by the hub's hashes."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ...fs import write_whole
from .hub import RemoteFile

SYNC_EVERY = 64 * 2**20
"""Bytes between two fsyncs. A power cut costs at most the file's last bytes."""

BAD_SECTOR = (23, 483, 1117)
"""Windows' error numbers for data that a disk cannot read: CRC, device hardware error, I/O device error."""


def part_of(target: Path) -> Path:
    """Return the path of the unfinished file. It is always the same, so that the next process resumes it."""
    return target.with_name(target.name + ".part")


def new_hash(file: RemoteFile) -> Any:
    """Start the hash by which the hub knows the file: SHA-256, or git's SHA-1 (a header, then the content)."""
    if file.sha256 or not file.blob:
        return hashlib.sha256()
    return hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)


def hash_matches(file: RemoteFile, digest: Any) -> bool:
    """Tell whether a computed hash is the file's."""
    wanted = file.sha256 or file.blob
    return not wanted or digest.hexdigest() == wanted


def file_is_right(path: Path, file: RemoteFile, on_bytes: Callable[[int], None]) -> bool:
    """Read a file on the disk, and tell whether its hash is the hub's. One that the disk cannot read is not right.

    Args:
        path: where it is.
        file: what it should be.
        on_bytes: receives the length of each piece; may raise.

    Raises:
        OSError: it cannot be read for another reason than a bad disk.
    """
    digest = new_hash(file)
    try:
        with open(path, "rb") as stream:
            while piece := stream.read(4 * 2**20):
                digest.update(piece)
                on_bytes(len(piece))
    except OSError as e:
        if not _is_bad_sector(e):
            raise
        return False
    return hash_matches(file, digest)


def _is_bad_sector(error: OSError) -> bool:
    return error.errno == errno.EIO or getattr(error, "winerror", None) in BAD_SECTOR


class PartFile:
    """The unfinished file, hashed while it grows. As a context manager it is open inside.

    Args:
        path: of the unfinished file.
        file: its size and hash when it is whole.
        on_bytes: receives the length of each piece, and a negative length for discarded bytes.
    """

    def __init__(self, path: Path, file: RemoteFile, on_bytes: Callable[[int], None]) -> None:
        self.path = path
        self.file = file
        self.size = 0
        self._most = 0
        """The most bytes that were here: a server that begins again at the first one gives nothing new up to there."""
        self._on_bytes = on_bytes
        self._tag_path = path.with_name(path.name + ".etag")
        self._hash_path = path.with_name(path.name + ".hash")
        self._digest = new_hash(file)
        self._unsynced = 0
        self._stream: IO[bytes] | None = None

    @property
    def verifiable(self) -> bool:
        """Tell whether the hash is known: then a range of the content is the same from every server."""
        return bool(self.file.sha256 or self.file.blob)

    @property
    def trusted(self) -> bool:
        """Tell whether a change of the server's file would be noticed: by its hash, or by a validator."""
        return self.verifiable or bool(self.tag)

    @property
    def whole(self) -> bool:
        """Tell whether all bytes are here, and their hash is the file's."""
        return self.size == self.file.size and hash_matches(self.file, self._digest)

    @property
    def tag(self) -> str:
        """Return the server's validator that came with the content; "" for none."""
        try:
            return self._tag_path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    def keep_tag(self, tag: str) -> None:
        """Keep a strong validator. A weak one may stand for different bytes."""
        if not self.verifiable and not tag.startswith("W/"):
            write_whole(self._tag_path, tag.encode("ascii", "ignore"))

    def forget_tag(self) -> None:
        """Delete what is noted about the file."""
        self._tag_path.unlink(missing_ok=True)
        self._hash_path.unlink(missing_ok=True)

    def _is_other(self) -> bool:
        """Tell whether the part was begun of a file with another hash, which the hub had then; note this one's."""
        wanted = self.file.sha256 or self.file.blob
        if not wanted:
            return False
        try:
            begun = self._hash_path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            begun = ""
        if begun != wanted:
            self._hash_path.write_text(wanted, encoding="ascii")
        return bool(begun) and begun != wanted

    def __enter__(self) -> "PartFile":
        self._stream = open(self.path, "ab+", buffering=0)
        try:
            found = os.fstat(self._stream.fileno()).st_size
            if self._is_other() or found > self.file.size or not self.trusted:
                self._stream.truncate(0)
            self._stream.seek(0)
            self._read_back()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._stream is not None
        self._stream.close()

    def _read_back(self) -> None:
        """Count and hash what is here; begin again where the disk cannot read it."""
        assert self._stream is not None
        try:
            while piece := self._stream.read(4 * 2**20):
                self._count(piece)
        except OSError as e:
            if not _is_bad_sector(e):
                raise
            self.restart()

    def write(self, piece: bytes) -> bool:
        """Append a piece. Return whether the file is longer now than it ever was."""
        assert self._stream is not None
        most = self._most
        if self.size + len(piece) > self.file.size:
            piece = piece[: self.file.size - self.size]
        left = memoryview(piece)
        while left:  # an unbuffered write may be a short one
            left = left[self._stream.write(left) :]
        self._unsynced += len(piece)
        if self._unsynced >= SYNC_EVERY:
            os.fsync(self._stream.fileno())
            self._unsynced = 0
        self._count(piece)
        return self._most > most

    def restart(self) -> None:
        """Discard the content, because it is not the server's."""
        assert self._stream is not None
        self._stream.truncate(0)
        self._on_bytes(-self.size)
        self.size, self._digest = 0, new_hash(self.file)

    def discard(self) -> None:
        """Delete the file, and what is noted about it."""
        self.path.unlink(missing_ok=True)
        self.forget_tag()
        self._on_bytes(-self.size)

    def _count(self, piece: bytes) -> None:
        self._digest.update(piece)
        self.size += len(piece)
        self._most = max(self._most, self.size)
        self._on_bytes(len(piece))
