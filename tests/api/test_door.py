"""The door over a real connection: what only a server between may get wrong."""

import base64
import re
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx
import psutil
import pytest
from fanslymotion.tests.studio import Studio, wait_for

ANNA, BEN = ("anna", "secret-1"), ("ben", "secret-2")


@pytest.fixture(scope="module")
def guarded(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio("--auth", ":".join(ANNA), "--auth", ":".join(BEN), "--no-worker")


def test_no_header_makes_another_address_of_a_guesser(guarded: Studio) -> None:
    codes = []
    for number in range(8):
        form = {"username": "anna", "password": f"guess-{number}"}
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


def test_a_stream_ends_when_its_browser_logs_out(guarded: Studio) -> None:
    with httpx.Client(base_url=guarded.url, timeout=60) as browser:
        form = {"username": "ben", "password": "secret-2"}
        assert browser.post("/login", data=form).status_code == 200
        with browser.stream("GET", "/studio/events") as stream:
            lines = stream.iter_lines()
            assert any(line == "event: machine" for line in lines)
            assert browser.post("/logout").status_code == 303
            for _ in lines:  # it ends by itself; a stream that goes on runs into the test's timeout
                pass
        assert browser.get("/studio/events").status_code == 401


@pytest.mark.skipif(sys.platform == "win32", reason="a connection is no file handle there")
def test_half_sent_logins_lock_nobody_out(make_studio: Callable[..., Studio]) -> None:
    """With 96 file handles; a photo still finds its files."""
    page = make_studio("--auth", ":".join(ANNA), "--no-worker")
    assert page.process is not None
    psutil.Process(page.process.pid).rlimit(psutil.RLIMIT_NOFILE, (96, 96))
    half = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\nusername=anna&pass"
    with ExitStack() as crowd:
        for _ in range(200):
            line = crowd.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=60))
            with suppress(OSError):  # it has made room already
                line.sendall(half)
        for _ in range(3):
            form = {"username": "anna", "password": "secret-1"}
            with httpx.Client(base_url=page.url, timeout=60) as browser:
                assert browser.post("/login", data=form).status_code == 200
                sent = browser.post("/studio/photos/sample")
                assert sent.status_code == 200, sent.text
                assert browser.get("/studio/options").json()["user"] == "anna"
    assert "Too many open files" not in page.said
    assert "out of system resource" not in page.said


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
