"""Download one file over HTTP: resume it after a break or a kill, and verify it before it gets its name.

huggingface_hub cannot resume inside a file since 1.18 (it deletes its temporary file on failure: huggingface_hub
#4196), and a broken connection must not cost three gigabytes twice.
"""

import errno
import hashlib
import os
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ...fs import commit, write_whole
from ...messages import msg
from .hub import DAMAGED, NETWORK, DownloadError, RemoteFile, disk_error, is_passing, unreachable

if TYPE_CHECKING:  # only downloads need it, and it takes a tenth of a command's start
    import httpx

SYNC_EVERY = 64 * 2**20
"""Bytes between two fsyncs. A power cut costs at most the file's last bytes."""

SILENCE = 30.0
"""Seconds without a byte after which the connection counts as broken."""
CONNECT = 10.0
"""Seconds without an answer to a new connection after which it counts as broken."""

FAILURES = 8
"""Breaks in a row without a new byte, after which the download fails."""
BAD_SECTOR = (23, 483, 1117)
"""Windows' error numbers for data that a disk cannot read: CRC, device hardware error, I/O device error."""
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 600.0


class Broken(Exception):
    """The connection broke, or the server asks to wait. Another try may succeed."""

    def __init__(self, reason: DownloadError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass
class Patience:
    """Pauses between tries: 1, 2, 4 … 60 s with jitter, starting again after every new byte.

    Attributes:
        pause: waits so many seconds; may raise Cancelled.
        say: receives the reason of a pause.
        first: seconds of the first pause.
        failures: breaks since the last new byte.
    """

    pause: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda text: None
    first: float = 1.0
    failures: int = 0

    def progress(self) -> None:
        """Start again with the first pause."""
        self.failures = 0

    def wait(self, broken: Broken) -> None:
        """Wait before another try. Raise the reason after FAILURES tries."""
        self.failures += 1
        if self.failures >= FAILURES:
            raise broken.reason from broken
        seconds = min(LONGEST_WAIT, self.first * 2 ** (self.failures - 1)) * random.uniform(0.8, 1.2)
        if broken.reason.after is not None:
            seconds = max(seconds, min(broken.reason.after, LONGEST_RETRY_AFTER))
        self.say(f"{broken.reason}; next try in {seconds:.0f} s")
        self.pause(seconds)


@dataclass(frozen=True)
class Source:
    """Where a file comes from.

    Attributes:
        client: Sends the requests.
        url: The file's.
        headers: Of each request.
        refuse: Makes the error of an HTTP status and its headers.
    """

    client: "httpx.Client"
    url: str
    headers: dict[str, str]
    refuse: Callable[[int, Any], DownloadError]

    @property
    def host(self) -> str:
        """Return the server's name."""
        import httpx

        return httpx.URL(self.url).host


def part_of(target: Path) -> Path:
    """Return the path of the unfinished file. It is always the same, so that the next process resumes it."""
    return target.with_name(target.name + ".part")


def fetch(source: Source, file: RemoteFile, target: Path, on_bytes: Callable[[int], None], patience: Patience) -> None:
    """Download a file, starting with what its part file holds.

    Args:
        source: where it comes from.
        file: its size and hash.
        target: where it goes.
        on_bytes: receives the length of each piece (also of pieces read back from the disk), and a negative length
            for discarded bytes. May raise Cancelled, which keeps the part file for the next time.
        patience: pauses between tries.

    Raises:
        DownloadError: the server refused, too many breaks, a wrong hash twice, or the disk is full.
    """
    for attempt in (1, 2):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = _Part(part_of(target), file, on_bytes)
            with part:
                _fill(source, part, patience)
            if part.whole:
                commit(part.path, target)
                part.forget_tag()
                return
        except OSError as e:
            raise disk_error(target, e) from e
        part.discard()
        if attempt == 1:
            patience.say(f"{file.path} arrived damaged (its hash is wrong): it is fetched once more")
    raise DownloadError(
        DAMAGED,
        msg(
            "{file} arrived damaged twice (its hash is wrong); a proxy on the way may change it: try another "
            "connection or set HF_ENDPOINT to a mirror",
            file=file.path,
        ),
        again=True,
    )


def _fill(source: Source, part: "_Part", patience: Patience) -> None:
    import httpx

    while part.size < part.file.size:
        before = part.size
        try:
            _stream(source, part, patience)
        except httpx.TransportError as e:
            if not is_passing(e):
                raise unreachable(source.url.split("?")[0], e) from e
            what = str(e).strip() or type(e).__name__
            reason = DownloadError(
                NETWORK,
                msg(
                    "the connection to {where} broke ({what}); what is downloaded already is kept",
                    where=source.host,
                    what=what,
                ),
                again=True,
            )
            patience.wait(Broken(reason))
        except Broken as e:
            patience.wait(e)
        else:
            if part.size == before:
                reason = DownloadError(NETWORK, msg("the server sent nothing"), again=True)
                patience.wait(Broken(_other_answer(source, part.size, part.file) if before else reason))


def _stream(source: Source, part: "_Part", patience: Patience) -> None:
    """Make one request, from the first missing byte on."""
    headers = source.headers | {"Accept-Encoding": "identity"}
    if part.size and not part.trusted:
        part.restart()
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if not part.verifiable:
            headers["If-Range"] = part.tag
    with source.client.stream("GET", source.url, headers=headers) as response:
        status = response.status_code
        if status == 416:  # our part is longer than the server's file
            part.restart()
            return
        if status not in (200, 206):
            reason = source.refuse(status, response.headers)
            if reason.again:
                raise Broken(reason)
            raise reason
        if status == 200 or _range_start(response.headers) != part.size:
            part.restart()
            if status == 206:
                return
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != part.file.size - part.size:
            raise Broken(_other_answer(source, int(length), part.file))
        part.keep_tag(response.headers.get("ETag", ""))
        for piece in response.iter_raw():  # as they come: a chunk size would hold back, and lose, the last ones
            if part.write(piece):
                patience.progress()


def _other_answer(source: Source, length: int, file: RemoteFile) -> DownloadError:
    """Make the error for an answer that cannot be the file by its length."""
    return DownloadError(
        NETWORK,
        msg(
            "{where} answers with {length} bytes instead of the {size} of {file}: a proxy, a filter or this network's "
            "login page may answer in its place; use another connection, or set HF_ENDPOINT to a mirror",
            where=source.host,
            length=length,
            size=file.size,
            file=file.path,
        ),
        again=True,
    )


def _range_start(headers: Any) -> int:
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


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


class _Part:
    """The unfinished file, hashed while it grows. As a context manager it is open inside."""

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
        return self.size == self.file.size and hash_matches(self.file, self._digest)

    @property
    def tag(self) -> str:
        try:
            return self._tag_path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    def keep_tag(self, tag: str) -> None:
        """Keep a strong validator. A weak one may stand for different bytes."""
        if not self.verifiable and not tag.startswith("W/"):
            write_whole(self._tag_path, tag.encode("ascii", "ignore"))

    def forget_tag(self) -> None:
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

    def __enter__(self) -> "_Part":
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
        self.path.unlink(missing_ok=True)
        self.forget_tag()
        self._on_bytes(-self.size)

    def _count(self, piece: bytes) -> None:
        self._digest.update(piece)
        self.size += len(piece)
        self._most = max(self._most, self.size)
        self._on_bytes(len(piece))
