"""Connections that never finish a request: they end by themselves, and before that they keep nobody out."""

import asyncio
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

import httpx
import pytest
from fanslymotion.ui import serve
from fanslymotion.ui.serve import Server
from fanslymotion.ui.server import connections
from fanslymotion.ui.server.address import listen
from fanslymotion.ui.server.connections import Limits, Progress
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

QUICK = Limits(head=0.5, silence=0.5, slowest=1e6)
PATIENT = Limits(head=3600, silence=3600)
HALF_A_LOGIN = b"POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nusername=anna"
PARTS = {
    "nothing": b"",
    "half a line": b"POST /si",
    "half of the headers": b"POST /size HTTP/1.1\r\nHost: x\r\nX-A",
    "half a body": HALF_A_LOGIN,
    "half a chunk": b"POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nabc",
    "a body that nobody reads": b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    "a second request": b"GET /early HTTP/1.1\r\nHost: x\r\n\r\nGET /ea",
}

Address = tuple[str, int]


async def size(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def busy(request: Request) -> PlainTextResponse:
    """Looks at the body after any limit here."""
    await asyncio.sleep(2.5)
    return await size(request)


async def early(_: Request) -> PlainTextResponse:
    return PlainTextResponse("done")


async def stream(_: Request) -> StreamingResponse:
    """Goes on for longer than any limit here, with nothing from the client."""

    def parts() -> Iterator[str]:
        for number in range(20):
            time.sleep(0.1)
            yield f"{number}\n"

    return StreamingResponse(parts())


@contextmanager
def served(limits: Limits) -> Iterator[Address]:
    routes = [
        Route("/size", size, methods=["POST"]), Route("/busy", busy, methods=["POST"]),
        Route("/early", early, methods=["GET", "POST"]), Route("/stream", stream),
    ]  # fmt: skip
    listener, opened = listen("127.0.0.1", 0, print), threading.Event()
    server = Server(Starlette(routes=routes), lambda: None, opened.set, limits)
    running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    running.start()
    assert opened.wait(30)
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        running.join()


def ends(line: socket.socket) -> bool:
    """Whether the server closes it; whatever it answers before is read."""
    line.settimeout(60)
    try:
        while line.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("part", PARTS)
def test_a_request_that_is_not_finished_ends(part: str) -> None:
    with served(QUICK) as address, socket.create_connection(address) as line:
        line.sendall(PARTS[part])
        assert ends(line)


@pytest.mark.parametrize("part", ["half a line", "half of the headers"])
def test_sending_byte_after_byte_gains_no_time(part: str) -> None:
    with served(QUICK) as address, socket.create_connection(address) as line:
        line.sendall(PARTS[part])
        drip(line, b"a")


def test_a_body_that_trickles_ends() -> None:
    with served(Limits(head=3600, silence=0.5, slowest=1000)) as address, socket.create_connection(address) as line:
        line.sendall(HALF_A_LOGIN.replace(b"100", b"1000000"))
        drip(line, b"a")


def drip(line: socket.socket, part: bytes) -> None:
    """Without an end, until the server hangs up."""
    end = time.monotonic() + 60
    with suppress(ConnectionError):
        while time.monotonic() < end:
            line.sendall(part)
            time.sleep(0.02)
    assert time.monotonic() < end


def test_whole_requests_and_long_answers_are_not_hurried() -> None:
    with served(QUICK) as address, httpx.Client(base_url=f"http://127.0.0.1:{address[1]}", timeout=60) as browser:
        assert browser.post("/size", content=bytes(3_000_000)).text == "3000000"
        assert browser.get("/stream").text.endswith("19\n")
        assert browser.get("/early").text == "done"


def test_a_body_that_the_server_holds_up_is_not_late() -> None:
    with served(QUICK) as address:
        answer = httpx.post(f"http://127.0.0.1:{address[1]}/busy", content=bytes(3_000_000), timeout=60)
        assert answer.text == "3000000"


def test_a_bodys_time_stands_still_while_the_server_takes_nothing() -> None:
    limits = Limits(silence=30, slowest=1000)
    body = Progress(heard=0, begun=0)
    body.take(60_000, now=10)
    assert body.body_late(41, limits), "silent"
    body.stand_still(1000, limits)
    assert not body.body_late(1029, limits)
    body.take(1, now=1029)
    assert body.body_late(1031, limits), "it has earned 90 seconds; of these it had used up 60"


@pytest.mark.parametrize("part", PARTS)
def test_crowds_of_half_sent_requests_keep_nobody_out(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """With forty places; no time limit comes to help."""
    monkeypatch.setattr(connections, "most_open", lambda: 40)
    with served(PATIENT) as address, ExitStack() as crowd:
        lines = [crowd.enter_context(socket.create_connection(address)) for _ in range(200)]
        for line in lines:
            with suppress(OSError):  # it has made room already
                line.sendall(PARTS[part])
        for _ in range(5):
            assert httpx.post(f"http://127.0.0.1:{address[1]}/size", content=b"login", timeout=60).text == "5"
        assert ends(lines[0]), "the longest silent one made room"
        end = time.monotonic() + 60
        while len(left := [line for line in lines if is_open(line)]) > 40 // 4:
            assert time.monotonic() < end, len(left)


def is_open(line: socket.socket) -> bool:
    line.settimeout(0.05)
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return True
    except OSError:
        pass
    return False


def test_streams_are_left_alone_when_room_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "most_open", lambda: 12)
    with served(PATIENT) as address, ExitStack() as crowd:
        following = crowd.enter_context(socket.create_connection(address))
        following.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert following.recv(15) == b"HTTP/1.1 200 OK"
        for _ in range(50):
            crowd.enter_context(socket.create_connection(address))
        following.settimeout(60)
        said = b""
        while part := following.recv(4096):
            said += part
        assert said.endswith(b"0\r\n\r\n"), "to its own end"


class SelectorLikeWindows(selectors.DefaultSelector):
    """Refuses more than 512 sockets, in the words of Windows' select()."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if len(self.get_map()) > 512:
            raise ValueError("too many file descriptors in select()")
        return super().select(timeout)


def loop_like_windows() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(SelectorLikeWindows())


@pytest.mark.parametrize("part", ["nothing", "a body that nobody reads"])
def test_more_connections_than_windows_can_watch_do_not_end_the_page(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """They come from 200 addresses (macOS has only one): no address has many."""
    if sys.platform != "win32":
        monkeypatch.setattr(connections, "most_open", partial(connections.most_open, "win32"))
        monkeypatch.setattr(serve, "event_loop", lambda: f"{__name__}:loop_like_windows")
    connections.raise_handle_limit()
    with served(PATIENT) as address, ExitStack() as crowd:
        for number in range(800):
            source = None if sys.platform == "darwin" else (f"127.0.1.{number % 200 + 1}", 0)
            line = crowd.enter_context(socket.create_connection(address, timeout=60, source_address=source))
            with suppress(OSError):  # it has made room already
                line.sendall(PARTS[part])
        assert httpx.post(f"http://127.0.0.1:{address[1]}/size", content=b"login", timeout=60).text == "5"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit there")
def test_the_number_of_places_follows_the_file_handles() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert connections.most_open() == 256 - connections.RESERVED_HANDLES
        connections.raise_handle_limit()
        assert connections.most_open() > 256 - connections.RESERVED_HANDLES
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit there")
def test_a_system_that_refuses_more_file_handles_starts_the_page_with_those_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its limit for all processes is below this process's hard one."""
    import resource

    def refuse(*_: object) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    connections.raise_handle_limit()
    assert connections.most_open() == 256 - connections.RESERVED_HANDLES
