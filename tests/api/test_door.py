"""The door over a real connection: what only a server between may get wrong."""

import base64
import re
import socket
from collections.abc import Callable

import httpx
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
