"""The guard of logins over a real connection: what only a server between may get wrong."""

import base64
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from fanslymotion.tests.api.logins import ANNA, BEN
from fanslymotion.tests.studio import Studio, wait_for


@pytest.fixture(scope="module")
def own(make_studio: Callable[..., Studio]) -> Studio:
    """For what changes the process itself."""
    return make_studio("--auth", ":".join(ANNA), "--auth", ":".join(BEN), "--no-worker")


@pytest.mark.soak
def test_no_header_makes_another_address_of_a_guesser(guarded: Studio) -> None:
    codes = []
    for number in range(8):
        form = {"username": "carl", "password": f"guess-{number}"}
        forwarded = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.1.{number}"}
        codes.append(httpx.post(f"{guarded.url}/login", data=form, headers=forwarded).status_code)
    assert codes == [401] * 5 + [429] * 3
    assert httpx.get(f"{guarded.url}/studio/options", auth=BEN).status_code == 200


def test_https_in_front_is_seen_without_believing_addresses(guarded: Studio) -> None:
    form = {"username": "ben", "password": "secret-2"}
    answer = httpx.post(f"{guarded.url}/login", data=form, headers={"X-Forwarded-Proto": "https"})
    assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("place", ["/gradio_api/queue/join", "/gradio_api/call/job", "/studio/jobs"])
def test_a_chunked_body_ends_at_the_limit(guarded: Studio, place: str) -> None:
    login = base64.b64encode(":".join(BEN).encode()).decode()
    head = f"POST {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=60) as line:
        line.sendall(head.encode())
        try:
            while sent < 200 << 20:
                line.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass  # the server has hung up
        assert sent < 100 << 20, "it must not be taken in"
        line.settimeout(60)
        try:
            said = line.recv(4096)
        except ConnectionResetError:  # the answer was lost with the connection, as TCP has it
            said = b""
    assert not said or said.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), said
    assert "Traceback" not in guarded.said


def test_a_page_for_the_network_makes_a_login_and_says_it(make_studio: Callable[..., Studio]) -> None:
    opened = make_studio("--host", "0.0.0.0", "--no-worker")
    assert httpx.get(f"{opened.url}/studio/options").status_code == 401
    wait_for(lambda: "Password: " in opened.said)
    user, password = re.search(r"Login: (\S+) +Password: (\S+)", opened.said).groups()  # type: ignore[union-attr]
    assert httpx.get(f"{opened.url}/studio/options", auth=(user, password)).json()["owns_machine"]


@pytest.mark.parametrize("stream", ["/studio/events", "/gradio_api/heartbeat/mine"])
def test_logging_out_ends_the_session_and_its_streams(guarded: Studio, stream: str) -> None:
    with logged_in(guarded) as browser, logged_in(guarded) as other:
        cookies = dict(browser.cookies)
        with other.stream("GET", "/studio/events") as others, browser.stream("GET", stream) as mine:
            lines, still = mine.iter_lines(), others.iter_lines()
            assert mine.status_code == 200
            next(lines), next(still)
            assert browser.post("/logout").status_code == 303
            for _ in lines:  # it ends by itself, as a whole answer; one that goes on runs into the test's timeout
                pass
            assert any(line == "event: machine" for line in still), "another browser of the same login stays"
        for path in ("/studio/options", "/studio/events", "/config"):
            answer = httpx.get(guarded.url + path, cookies=cookies)
            assert answer.status_code == 401, "the cookie was copied before"
        assert other.get("/studio/options").status_code == 200
    assert "Traceback" not in guarded.said


@pytest.mark.soak
def test_a_session_that_was_logged_out_does_not_come_back_with_a_restart(own: Studio) -> None:
    with logged_in(own) as browser, logged_in(own) as other:
        cookies = dict(browser.cookies)
        browser.post("/logout")
        assert own.stop() == 0
        own.start()
        assert httpx.get(f"{own.url}/studio/options", cookies=cookies).status_code == 401
        assert other.get("/studio/options").status_code == 200, "and a restart logs nobody out"


def test_only_valid_sessions_leave_a_mark_when_they_end(guarded: Studio) -> None:
    folder = guarded.home / "ended-sessions"
    before = len(list(folder.iterdir())) if folder.exists() else 0
    for token in ("", "x", "x.y", "/../../x"):
        cookie = {"Cookie": f"fanslymotion_session={token}"}
        assert httpx.post(f"{guarded.url}/logout", headers=cookie).status_code == 303
    assert (len(list(folder.iterdir())) if folder.exists() else 0) == before


@contextmanager
def logged_in(studio: Studio) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=studio.url, timeout=60) as browser:
        assert browser.post("/login", data={"username": BEN[0], "password": BEN[1]}).status_code == 200
        yield browser


def test_no_password_shows_in_the_list_of_processes(make_studio: Callable[..., Studio], tmp_path: Path) -> None:
    file = tmp_path / "logins.txt"
    file.write_text("# for the studio\nanna:secret-of-the-file\n", encoding="utf-8")
    page = make_studio("--auth-file", str(file), FANSLYMOTION_AUTH="ben:secret-of-the-variable")
    for login in (("anna", "secret-of-the-file"), ("ben", "secret-of-the-variable")):
        assert httpx.get(f"{page.url}/studio/options", auth=login).status_code == 200
    assert page.process is not None
    own = psutil.Process(page.process.pid)
    wait_for(lambda: own.children(recursive=True))
    for process in (own, *own.children(recursive=True)):
        assert "secret-of" not in " ".join(process.cmdline())
    for child in own.children(recursive=True):
        assert "secret-of" not in " ".join(child.environ().values()), "no worker needs it"


@pytest.mark.skipif(sys.platform == "win32", reason="a connection is no file handle there")
def test_half_sent_logins_lock_nobody_out(own: Studio) -> None:
    """With 96 file handles; a photo still finds its files."""
    assert own.process is not None
    psutil.Process(own.process.pid).rlimit(psutil.RLIMIT_NOFILE, (96, 96))
    half = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nusername=anna&pass"
    with ExitStack() as crowd:
        for _ in range(200):
            line = crowd.enter_context(socket.create_connection(("127.0.0.1", own.port), timeout=60))
            with suppress(OSError):  # it has made room already
                line.sendall(half)
        for _ in range(3):
            form = {"username": "anna", "password": "secret-1"}
            with httpx.Client(base_url=own.url, timeout=60) as browser:
                assert browser.post("/login", data=form).status_code == 200
                sent = browser.post("/studio/photos/sample")
                assert sent.status_code == 200, sent.text
                assert browser.get("/studio/options").json()["user"] == "anna"
    assert "Too many open files" not in own.said
    assert "out of system resource" not in own.said


def test_requests_make_no_long_lines_and_not_many(guarded: Studio) -> None:
    before = len(guarded.said)
    long = b"x" * 60_000
    for part in (
        b"GET /" + long + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + long + b"\r\n\r\n",
        long,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%0d%0aERROR:%20made%20up%1b[2J HTTP/1.1\r\nHost: x\r\nOrigin: http://[::1\r\n\r\n",
        *[b"\x16\x03\x01\x00 not http\r\n\r\n"] * 200,
        *[b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"] * 200,
    ):
        with socket.create_connection(("127.0.0.1", guarded.port), timeout=60) as line, suppress(OSError):
            line.sendall(part)
            assert line.recv(15).startswith(b"HTTP/1.1 ")
    said = guarded.said[before:].splitlines()
    assert len(said) <= 100
    assert max(map(len, said), default=0) < 1100
    assert not any(line.startswith("ERROR: made up") for line in said)
