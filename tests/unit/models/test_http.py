"""One file over HTTP: ranges, validators, pauses and what stays on the disk, with a server that each test writes."""

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fanslymotion.messages import msg
from fanslymotion.models.download import http, part_file
from fanslymotion.models.download.http import FAILURES, Broken, Patience, Source, fetch
from fanslymotion.models.download.hub import DownloadError, RemoteFile
from fanslymotion.models.download.part_file import new_hash, part_of

DATA = bytes(range(256)) * 40
URL = "https://hub.test/acme/tiny/model.bin?token=secret"
HASHED = RemoteFile("model.bin", len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
UNHASHED = RemoteFile("model.bin", len(DATA))
BROKE = "the connection to hub.test broke (cut); what is downloaded already is kept"


class Body(httpx.SyncByteStream):
    """What a server sends, piece after piece; the connection may break after it."""

    def __init__(self, *pieces: bytes, cut: bool = False) -> None:
        self.pieces = pieces
        self.cut = cut

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.cut:
            raise httpx.ReadError("cut")


Answer = tuple[int, Body, dict[str, str] | dict[bytes, bytes]]
"""Status, body and headers."""


class Server:
    """Gives its answers in order, and the last one for good. An exception breaks the connection.

    asked: each request's headers. counted, said, pauses: what `fetch` reported.
    """

    def __init__(self, target: Path, *answers: Answer | Exception) -> None:
        self.target = target
        self.answers = list(answers)
        self.asked: list[httpx.Headers] = []
        self.counted: list[int] = []
        self.said: list[str] = []
        self.pauses: list[float] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer
        return httpx.Response(status, headers=headers, stream=body)

    def fetch(self, file: RemoteFile = HASHED) -> bytes:
        patience = Patience(pause=self.pauses.append, say=self.said.append)
        with httpx.Client(transport=httpx.MockTransport(self.answer), follow_redirects=True) as client:
            source = Source(client, URL, {"Authorization": "Bearer x"}, self.refuse)
            fetch(source, file, self.target, self.counted.append, patience)
        return self.target.read_bytes()

    @staticmethod
    def refuse(status: int, headers: httpx.Headers) -> DownloadError:
        """Refuse as the hub does: a server in trouble may be asked again."""
        told = msg("it answered {status}", status=status)
        return DownloadError("FM-MODEL-005", told, again=status >= 500, after=float(headers.get("Retry-After", 0)))


def part(start: int, end: int = len(DATA)) -> Answer:
    """All from a byte on; the connection breaks at `end`."""
    named = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
    return 206, Body(DATA[start:end], cut=end < len(DATA)), named


def whole(tag: str = "", data: bytes = DATA) -> Answer:
    return 200, Body(data), {"ETag": tag} if tag else {}


def begun(tag: str = "") -> Answer:
    """The first 1000 bytes, then a break."""
    return 200, Body(DATA[:1000], cut=True), {"ETag": tag} if tag else {}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "model.bin"


def left_of(target: Path, data: bytes, tag: str = "") -> None:
    """Put what an earlier process left: a part file, and its validator."""
    target.parent.mkdir(parents=True)
    part_of(target).write_bytes(data)
    if tag:
        tag_of(target).write_text(tag, encoding="ascii")


def tag_of(target: Path) -> Path:
    return target.with_name("model.bin.part.etag")


def test_a_file_arrives_in_one_request_and_leaves_nothing_beside_it(target: Path) -> None:
    server = Server(target, whole('"v1"'))
    assert server.fetch(UNHASHED) == DATA
    (asked,) = server.asked
    assert asked["Authorization"] == "Bearer x"
    assert asked["Accept-Encoding"] == "identity", "compressed bytes could neither be counted nor resumed"
    assert "Range" not in asked
    assert sum(server.counted) == len(DATA)
    assert os.listdir(target.parent) == ["model.bin"]


@pytest.mark.parametrize(
    ("file", "tag", "guarded"),
    [(HASHED, "", None), (HASHED, '"v1"', None), (UNHASHED, '"v1"', '"v1"')],
    ids=["hashed", "hashed with a tag", "by its tag"],
)
def test_a_part_is_gone_on_from(target: Path, file: RemoteFile, tag: str, guarded: str | None) -> None:
    left_of(target, DATA[:1000], tag)
    server = Server(target, part(1000))
    assert server.fetch(file) == DATA
    assert server.asked[0]["Range"] == "bytes=1000-"
    assert server.asked[0].get("If-Range") == guarded
    assert sum(server.counted) == len(DATA), "what lay there counts, too"


def test_a_part_without_hash_or_tag_is_not_trusted(target: Path) -> None:
    left_of(target, b"x" * 1000)
    server = Server(target, whole())
    assert server.fetch(UNHASHED) == DATA
    assert "Range" not in server.asked[0]


def test_a_break_without_hash_or_tag_begins_again(target: Path) -> None:
    """Nothing would tell whether the rest is of the same file."""
    server = Server(target, begun(), whole())
    assert server.fetch(UNHASHED) == DATA
    assert "Range" not in server.asked[1]
    assert "If-Range" not in server.asked[1]
    assert sum(server.counted) == len(DATA)


def test_a_tag_of_other_letters_is_no_error(target: Path) -> None:
    status, body, _ = whole()
    server = Server(target, (status, body, {b"ETag": '"é1"'.encode()}))
    assert server.fetch(UNHASHED) == DATA


def test_a_large_part_is_read_back_in_pieces(target: Path) -> None:
    data = bytes(9 * 2**20)
    left_of(target, data)
    server = Server(target, AssertionError("nothing is to be asked for"))
    assert server.fetch(RemoteFile("model.bin", len(data), sha256=hashlib.sha256(data).hexdigest())) == data
    assert server.counted == [4 * 2**20, 4 * 2**20, 2**20]


def test_a_rest_without_its_range_is_not_taken_after_one_byte(target: Path) -> None:
    left_of(target, DATA[:1])
    server = Server(target, (206, Body(DATA[1:]), {}), whole())
    assert server.fetch() == DATA
    assert len(server.asked) == 2


def test_a_part_longer_than_the_file_is_begun_again(target: Path) -> None:
    left_of(target, DATA + b"x")
    server = Server(target, whole())
    assert server.fetch() == DATA
    assert "Range" not in server.asked[0]
    assert server.said == [], "nothing arrived damaged"
    assert sum(server.counted) == len(DATA)


def test_a_part_that_is_the_whole_file_needs_no_request(target: Path) -> None:
    left_of(target, DATA)
    server = Server(target, AssertionError("nothing is to be asked for"))
    assert server.fetch() == DATA
    assert sum(server.counted) == len(DATA)


@pytest.mark.parametrize(
    "answers",
    [
        [whole()],
        [(416, Body(), {}), whole()],
        [part(500), whole()],
        [(206, Body(DATA[1000:]), {}), whole()],
        [(206, Body(DATA[1000:]), {"Content-Range": "pages 1-2"}), whole()],
    ],
    ids=["all of it", "range not satisfiable", "another range", "no range named", "a range of something else"],
)
def test_a_server_that_does_not_give_the_rest_sends_all(target: Path, answers: list) -> None:
    left_of(target, b"x" * 1000)
    server = Server(target, *answers)
    assert server.fetch() == DATA
    assert len(server.asked) == len(answers)
    assert server.said == [], "nothing arrived damaged"
    assert "Range" in server.asked[0]
    assert all("Range" not in asked for asked in server.asked[1:])
    assert sum(server.counted) == len(DATA)


def test_a_break_goes_on_from_the_last_byte(target: Path) -> None:
    server = Server(target, begun(), part(1000, 1500), part(1500))
    assert server.fetch() == DATA
    assert [asked.get("Range") for asked in server.asked] == [None, "bytes=1000-", "bytes=1500-"]
    assert [said.rpartition("; next try in ")[0] for said in server.said] == [BROKE, BROKE]
    assert all(0.8 <= pause <= 1.2 for pause in server.pauses), "new bytes start the pauses again"
    assert sum(server.counted) == len(DATA)


def test_a_break_keeps_the_strong_tag_it_came_with_and_no_weak_one(target: Path) -> None:
    for tag, kept in (('"v1"', True), ('W/"v1"', False)):
        server = Server(target, begun(tag), httpx.InvalidURL("stop"))
        with pytest.raises(httpx.InvalidURL):
            server.fetch(UNHASHED)
        assert tag_of(target).exists() is kept
        if kept:
            assert tag_of(target).read_text(encoding="ascii") == tag
            assert server.asked[1]["If-Range"] == tag
        part_of(target).unlink()
        tag_of(target).unlink(missing_ok=True)


def test_a_hash_needs_no_tag(target: Path) -> None:
    server = Server(target, begun('"v1"'), httpx.InvalidURL("stop"))
    with pytest.raises(httpx.InvalidURL):
        server.fetch()
    assert not tag_of(target).exists()


@pytest.mark.parametrize("here", [0, 1000])
def test_more_than_the_file_is_cut(target: Path, here: int) -> None:
    left_of(target, DATA[:here])
    status, _, headers = part(here) if here else whole()
    server = Server(target, (status, Body(DATA[here:] + b"and more"), headers))
    assert server.fetch() == DATA
    assert sum(server.counted) == len(DATA)
    assert server.said == [], "nothing arrived damaged"


def test_a_server_in_trouble_names_the_pause(target: Path) -> None:
    server = Server(target, (503, Body(), {"Retry-After": "30"}), whole())
    assert server.fetch() == DATA
    assert server.pauses == [30.0]


def test_the_stronger_hash_counts() -> None:
    assert new_hash(RemoteFile("model.bin", 1, sha256="a", blob="b")).name == "sha256"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.ConnectError("cut"), BROKE),
        (httpx.ReadTimeout(""), BROKE.replace("cut", "ReadTimeout")),
        ((503, Body(), {}), "it answered 503"),
        ((200, Body(), {}), "the server sent nothing"),
    ],
    ids=["broken", "silent", "in trouble", "empty"],
)
def test_a_server_that_stays_in_trouble_ends_it_after_some_tries(target: Path, answer, reason: str) -> None:
    server = Server(target, answer)
    with pytest.raises(DownloadError) as caught:
        server.fetch()
    assert (str(caught.value), caught.value.code, caught.value.again) == (reason, "FM-MODEL-005", True)
    assert isinstance(caught.value.__cause__, Broken)
    assert str(caught.value.__cause__) == reason
    assert len(server.asked) == FAILURES
    assert len(server.said) == len(server.pauses) == FAILURES - 1


OFFLINE = httpx.ConnectError("no route to host")


def test_an_outage_of_hours_is_waited_for_once_bytes_have_come(target: Path) -> None:
    server = Server(target, begun(), *[OFFLINE] * 300, (503, Body(), {}), OFFLINE, whole())
    assert server.fetch() == DATA
    assert sum(server.pauses) > 4 * 3600
    assert max(server.pauses) <= 72
    assert "next try in" in server.said[-1]


def test_an_outage_without_an_end_ends_it_and_keeps_what_is_here(target: Path) -> None:
    server = Server(target, begun(), OFFLINE)
    with pytest.raises(DownloadError, match="no route to host"):
        server.fetch()
    assert sum(server.pauses) > 10 * 3600
    assert part_of(target).read_bytes() == DATA[:1000]


PAGE = b"<html>Please sign in to this network</html>"


@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
@pytest.mark.parametrize("here", [0, 1000])
def test_a_page_in_the_files_place_ends_it_after_some_tries(target: Path, told: bool, here: int) -> None:
    """A hotel's network, or a filter, answers everything with 200 and a page of its own."""
    left_of(target, DATA[:here])
    server = Server(target, (200, Body(PAGE), {"Content-Length": str(len(PAGE))} if told else {}))
    with pytest.raises(DownloadError) as caught:
        server.fetch()
    assert str(caught.value).startswith(
        f"hub.test answers with {len(PAGE)} bytes instead of the {len(DATA)} of model.bin"
    )
    assert (caught.value.code, caught.value.again) == ("FM-MODEL-005", True)
    assert FAILURES <= len(server.asked) <= FAILURES + 2
    assert sum(server.pauses) > 60
    if here:
        assert part_of(target).read_bytes() == DATA[:here], "gigabytes are not given up for a page"


def test_a_connection_that_breaks_at_the_same_byte_of_a_server_without_ranges_ends_it(target: Path) -> None:
    server = Server(target, begun())
    with pytest.raises(DownloadError, match=r"the connection to hub\.test broke"):
        server.fetch()
    assert len(server.asked) == FAILURES


def test_what_a_server_without_ranges_sends_beyond_the_last_break_is_progress(target: Path) -> None:
    breaks = [(200, Body(DATA[: 1000 * n], cut=True), {}) for n in range(1, 10)]
    server = Server(target, *breaks, whole())
    assert server.fetch() == DATA
    assert max(server.pauses) <= 1.2


def test_a_refusal_is_not_tried_again(target: Path) -> None:
    server = Server(target, (404, Body(), {}))
    with pytest.raises(DownloadError, match="it answered 404") as caught:
        server.fetch()
    assert (caught.value.again, len(server.asked), server.said) == (False, 1, [])


def test_a_server_that_sends_from_place_to_place_for_ever_is_told(target: Path) -> None:
    server = Server(target, (302, Body(), {"Location": URL}))
    with pytest.raises(DownloadError, match=r"cannot be asked .*TooManyRedirects") as caught:
        server.fetch()
    assert (caught.value.code, caught.value.again) == ("FM-MODEL-005", False)


def test_a_wrong_setting_is_not_tried_again_and_no_secret_is_said(target: Path) -> None:
    server = Server(target, httpx.UnsupportedProtocol("no such protocol"))
    with pytest.raises(DownloadError, match="UnsupportedProtocol: no such protocol") as caught:
        server.fetch()
    assert (caught.value.again, len(server.asked), server.said) == (False, 1, [])
    assert str(caught.value).startswith("https://hub.test/acme/tiny/model.bin cannot be asked")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("hashed", ["sha256", "blob"])
def test_a_damaged_file_is_fetched_once_more(target: Path, hashed: str) -> None:
    git = hashlib.sha1(f"blob {len(DATA)}\0".encode() + DATA, usedforsecurity=False).hexdigest()
    file = HASHED if hashed == "sha256" else RemoteFile("model.bin", len(DATA), blob=git)
    server = Server(target, whole(data=DATA[::-1]), whole())
    assert server.fetch(file) == DATA
    assert server.said == ["model.bin arrived damaged (its hash is wrong): it is fetched once more"]
    assert sum(server.counted) == len(DATA), "the damaged bytes are taken back"
    assert "Range" not in server.asked[1]


def test_a_file_damaged_twice_is_given_up_and_not_kept(target: Path) -> None:
    server = Server(target, whole(data=DATA[::-1]))
    with pytest.raises(DownloadError) as caught:
        server.fetch()
    assert str(caught.value) == (
        "model.bin arrived damaged twice (its hash is wrong); a proxy on the way may change it: "
        "try another connection or set HF_ENDPOINT to a mirror"
    )
    assert (caught.value.code, caught.value.again, len(server.asked)) == ("FM-MODEL-002", True, 2)
    assert os.listdir(target.parent) == []
    assert sum(server.counted) == 0
    assert len(server.said) == 1


def test_a_part_that_the_disk_cannot_read_is_begun_again(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bad(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell() >= 500:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(500)

    left_of(target, DATA[:1000])
    monkeypatch.setattr(part_file, "open", lambda path, mode, buffering: Bad(path, mode), raising=False)
    server = Server(target, whole())
    assert server.fetch() == DATA
    assert "Range" not in server.asked[0]
    assert sum(server.counted) == len(DATA)


def test_a_full_disk_is_said_and_what_is_there_stays(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(part_file, "SYNC_EVERY", 1000)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DownloadError, match=r"model\.bin cannot be written, the disk is full") as caught:
        Server(target, whole()).fetch()
    assert isinstance(caught.value.__cause__, OSError)
    assert part_of(target).exists()


def test_long_files_are_synced_on_their_way(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sync = os.fsync
    monkeypatch.setattr(part_file, "SYNC_EVERY", 2000)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_size), sync(descriptor)))
    pieces = [DATA[start : start + 1000] for start in range(0, len(DATA), 1000)]
    Server(target, (200, Body(*pieces), {})).fetch()
    assert synced[:5] == [2000, 4000, 6000, 8000, 10000]


def test_the_pauses_double_up_to_a_minute_and_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.random, "uniform", lambda low, high: (low + high) / 2)
    monkeypatch.setattr(http, "FAILURES", 10)
    pauses: list[float] = []
    said: list[str] = []
    patience = Patience(pause=pauses.append, say=said.append)
    broken = Broken(DownloadError("FM-MODEL-005", "cut"))
    for _ in range(9):
        patience.wait(broken)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert said[1] == "cut; next try in 2 s"
    with pytest.raises(DownloadError, match=r"^cut$"):
        patience.wait(broken)
    patience.progress()
    patience.wait(broken)
    assert pauses[-1] == 1


def test_pauses_differ_so_that_not_all_come_back_at_once() -> None:
    pauses: list[float] = []
    for _ in range(200):
        Patience(pause=pauses.append, first=10).wait(Broken(DownloadError("FM-MODEL-005", "cut")))
    assert 8 <= min(pauses) < 9
    assert 11 < max(pauses) <= 12


def test_a_wish_to_wait_lengthens_a_pause_and_never_shortens_it() -> None:
    pauses: list[float] = []
    for after in (0.0, 30.0, 10_000.0):
        reason = DownloadError("FM-MODEL-005", "busy", after=after)
        Patience(pause=pauses.append, first=10).wait(Broken(reason))
    assert 8 <= pauses[0] <= 12
    assert pauses[1:] == [30.0, 600.0]


def test_short_writes_lose_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write to an almost full disk, or past a limit of the system, may take only a part."""

    class Short(io.FileIO):
        def write(self, data) -> int:
            return super().write(data[: max(1, len(data) // 2)])

    monkeypatch.setattr(part_file, "open", lambda path, mode, buffering: Short(path, mode), raising=False)
    assert Server(target, whole()).fetch() == DATA
