"""Download one file over HTTP: resume it after a break or a kill, and verify it before it gets its name.

huggingface_hub cannot resume inside a file since 1.18 (it deletes its temporary file on failure: huggingface_hub
#4196), and a broken connection must not cost three gigabytes twice.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...fs import commit
from ...messages import msg
from .download_error import DAMAGED, NETWORK, DownloadError, disk_error
from .hub import RemoteFile, is_passing, unreachable
from .part_file import PartFile, part_of

if TYPE_CHECKING:  # only downloads need it, and it takes a tenth of a command's start
    import httpx

SILENCE = 30.0
"""Seconds without a byte after which the connection counts as broken."""
CONNECT = 10.0
"""Seconds without an answer to a new connection after which it counts as broken."""

FAILURES = 8
"""Breaks in a row without a new byte, after which the download fails."""
OFFLINE_TRIES = 720
"""Tries in a row without a connection, after bytes had come: an outage of about twelve hours, as of a night."""
LONGEST_PAGE = 2**20
"""Bytes. A web page that a network sends in a file's place is shorter."""
RENAME_PATIENCE = 30.0
"""Seconds to retry the rename of a whole file, whose gigabytes a virus scanner reads first (Windows)."""
LONGEST_WAIT = 60.0
LONGEST_RETRY_AFTER = 600.0


class Broken(Exception):
    """The connection broke, or the server asks to wait. Another try may succeed.

    Args:
        reason: What to say about it.
        offline: There was no connection at all.
    """

    def __init__(self, reason: DownloadError, offline: bool = False) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.offline = offline


@dataclass
class Patience:
    """Pauses between tries: 1, 2, 4 … 60 s with jitter, starting again after every new byte.

    Attributes:
        pause: waits so many seconds; may raise Cancelled.
        say: receives the reason of a pause.
        first: seconds of the first pause.
        failures: breaks since the last new byte.
        outages: tries without a connection since then, if a byte had come before.
        connected: a byte has come, so that the address and the settings of the network are right.
    """

    pause: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda text: None
    first: float = 1.0
    failures: int = 0
    outages: int = 0
    connected: bool = False

    def progress(self) -> None:
        """Start again with the first pause."""
        self.failures = self.outages = 0
        self.connected = True

    def wait(self, broken: Broken) -> None:
        """Wait before another try. Raise the reason after FAILURES tries, or OFFLINE_TRIES in an outage."""
        if broken.offline and self.connected:
            self.outages += 1
        else:
            self.failures += 1
        if self.failures >= FAILURES or self.outages >= OFFLINE_TRIES:
            raise broken.reason from broken
        doublings = min(max(self.failures, self.outages) - 1, 10)
        seconds = min(LONGEST_WAIT, self.first * 2**doublings) * random.uniform(0.8, 1.2)
        if broken.reason.after is not None:
            seconds = max(seconds, min(broken.reason.after, LONGEST_RETRY_AFTER))
        self.say(msg("{reason}; next try in {seconds:.0f} s", reason=broken.reason.message, seconds=seconds))
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
            part = PartFile(part_of(target), file, on_bytes)
            with part:
                _fill(source, part, patience)
            if part.whole:
                commit(part.path, target, RENAME_PATIENCE)
                part.forget_tag()
                return
        except OSError as e:
            raise disk_error(target, e) from e
        part.discard()
        if attempt == 1:
            patience.say(msg("{file} arrived damaged (its hash is wrong): it is fetched once more", file=file.path))
    raise DownloadError(
        DAMAGED,
        msg(
            "{file} arrived damaged twice (its hash is wrong); a proxy on the way may change it: try another "
            "connection or set HF_ENDPOINT to a mirror",
            file=file.path,
        ),
        again=True,
    )


def _fill(source: Source, part: PartFile, patience: Patience) -> None:
    import httpx

    while part.size < part.file.size:
        before = part.size
        try:
            _stream(source, part, patience)
        except httpx.RequestError as e:  # a broken connection, or redirects without an end
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
            patience.wait(Broken(reason, offline=isinstance(e, (httpx.ConnectError, httpx.ConnectTimeout))))
        except Broken as e:
            patience.wait(e)
        else:
            if part.size == before:
                reason = DownloadError(NETWORK, msg("the server sent nothing"), again=True)
                patience.wait(Broken(_other_answer(source, part.size, part.file) if before else reason))


def _stream(source: Source, part: PartFile, patience: Patience, ranges: bool = True) -> None:
    """Make one request, from the first missing byte on; a second one for all bytes where the server has no ranges."""
    headers = source.headers | {"Accept-Encoding": "identity"}
    if part.size and not part.trusted:
        part.restart()
    if part.size and ranges:
        headers["Range"] = f"bytes={part.size}-"
        if not part.verifiable:
            headers["If-Range"] = part.tag
    with source.client.stream("GET", source.url, headers=headers) as response:
        if ranges and part.size and _is_other_range(response, part.size):
            response.close()
            return _stream(source, part, patience, ranges=False)
        status = response.status_code
        if status not in (200, 206):
            reason = source.refuse(status, response.headers)
            if reason.again:
                raise Broken(reason)
            raise reason
        if status == 206 and _range_start(response.headers) != part.size:
            return None
        begin = 0 if status == 200 else part.size
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != part.file.size - begin:
            raise Broken(_other_answer(source, int(length), part.file))
        pieces = response.iter_raw()  # as they come: a chunk size would hold back, and lose, the last ones
        if begin != part.size:
            pieces = _not_a_page(source, part, pieces)
            part.restart()
        part.keep_tag(response.headers.get("ETag", ""))
        for piece in pieces:
            if part.write(piece):
                patience.progress()


def _is_other_range(response: "httpx.Response", start: int) -> bool:
    """Tell whether a server refuses the range that it was asked for, or answers with another one."""
    return response.status_code == 416 or (response.status_code == 206 and _range_start(response.headers) != start)


def _not_a_page(source: Source, part: PartFile, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return all pieces once they are too many for a page in the file's place: for that no part is given up.

    Raises:
        Broken: They end before.
    """
    first = list[bytes]()
    count = 0
    for piece in pieces:
        first.append(piece)
        count += len(piece)
        if count >= min(part.size, LONGEST_PAGE):
            return chain(first, pieces)
    raise Broken(_other_answer(source, count, part.file))


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
