"""Requests that no browser or script of good will sends, as bytes: more than 400 of them, for every route there is."""

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

from .logins import ANNA, BEN

GRADIO_POSTS = (
    "/gradio_api/call/generate",
    "/gradio_api/call/job",
    "/gradio_api/call/cancel",
    "/gradio_api/call/nosuch",
    "/gradio_api/call/v2/generate",
    "/gradio_api/call/v2/nosuch",
    "/gradio_api/queue/join",
    "/gradio_api/cancel",
    "/gradio_api/reset",
)
DEEP = 30_000
FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
GRADIO_BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"5",
    b'"x"',
    b"[]",
    b"\xff\xfe\x00",
    b'{"data": ["\\ud800"], "session_hash": "\\ud800", "fn_index": 0}',
    b'{"data": [NaN], "session_hash": "odd", "fn_index": 1}',
    b'{"data": [1e999, -1e999], "session_hash": "odd", "fn_index": 1}',
    b'{"data": [' + b"9" * 5000 + b'], "session_hash": "odd", "fn_index": 1}',
    b'{"data": ' + b"[" * DEEP + b"]" * DEEP + b', "session_hash": "odd", "fn_index": 1}',
    b"[" * DEEP,
    b'{"data": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b', "session_hash": "odd", "fn_index": 1}',
    *(
        json.dumps(body).encode()
        for body in (
            {},
            {"data": None},
            {"data": 5},
            {"data": "x"},
            {"data": {}},
            {"data": []},
            {"data": [None]},
            {"data": [1] * 2000},
            {"data": [[[[[]]]]]},
            {"data": [FILE] * 11},
            {"data": [{"path": "/etc/passwd", "meta": 5}]},
            {"data": [{"path": 5, "meta": {"_type": "gradio.FileData"}}]},
            {"data": [], "fn_index": 10**9, "session_hash": "odd"},
            {"data": [], "fn_index": -1, "session_hash": "odd"},
            {"data": [], "fn_index": "x", "session_hash": "odd"},
            {"data": [], "fn_index": 10**40, "session_hash": "odd"},
            {"data": ["x"], "fn_index": 1},
            {"data": ["x"], "fn_index": 1, "session_hash": 5},
            {"data": ["x"], "fn_index": 1, "session_hash": ["odd"]},
            {"data": ["x"], "fn_index": 1, "session_hash": ""},
            {"data": ["x"], "fn_index": 1, "session_hash": "x" * 100_000},
            {"data": ["x"], "fn_index": 1, "session_hash": "odd", "event_data": {"a": FILE}},
            {"data": ["x"], "fn_index": 1, "session_hash": "odd", "trigger_id": 10**9},
            {"data": ["x"], "fn_index": 1, "session_hash": "odd", "trigger_id": {}},
            {"data": ["x"], "fn_index": 1, "session_hash": "odd", "batched": True},
            {"data": [["x"]], "fn_index": 1, "session_hash": "odd", "batched": True, "simple_format": True},
            {"data": ["x"], "fn_index": 1, "session_hash": "odd", "event_id": "x", "oauth_token": {"a": 1}},
            {"data": ["x"], "fn_index": 1, "session_hash": "odd", "request": {"username": "anna"}, "username": "anna"},
            {"photo": FILE, "resolution": [], "seconds": {}, "x": 1},
            {"photo": "x", "resolution": "480p", "nosuch": 5},
            {"job_id": 10**300},
            {"event_id": 5, "fn_index": {}, "session_hash": None},
            {"event_id": "x", "fn_index": 1, "session_hash": "odd"},
        )
    ),
)
OWN_ROUTES = (
    ("GET", "/studio/options"),
    ("GET", "/studio/machine"),
    ("GET", "/studio/system"),
    ("GET", "/studio/jobs"),
    ("POST", "/studio/jobs"),
    ("POST", "/studio/photos"),
    ("POST", "/studio/settings"),
    ("GET", "/studio/jobs/{job}/photo"),
    ("POST", "/studio/jobs/{job}/retry"),
    ("POST", "/studio/jobs/{job}/again"),
    ("POST", "/studio/photos/of/{job}"),
    ("POST", "/studio/photos/of/{job}/last"),
    ("GET", "/studio/jobs/{job}/last-poster"),
    ("POST", "/studio/jobs/{job}/move"),
    ("POST", "/studio/jobs/clean"),
    ("GET", "/"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/config"),
    ("GET", "/gradio_api/info"),
)
ODD_HEADERS: tuple[tuple[str, bytes], ...] = (
    ("Origin", b"http://[::1"),
    ("Origin", b"http://["),
    ("Origin", b"null"),
    ("Origin", b"//"),
    ("Origin", b"\xff\xfe"),
    ("Origin", b"http://a\xe2\x84\x80b"),
    ("Origin", b"x" * 5000),
    ("Cookie", b"fanslymotion_session=" + b"W" * 5000),
    ("Cookie", b"fanslymotion_session=\xff.\xfe; fanslymotion_known=\xff"),
    ("Cookie", b"=;;;====\x80"),
    ("Authorization", b"Basic \xff\xfe"),
    ("Authorization", b"Basic " + base64.b64encode(b"\xff\xfe:\xff")),
    ("Authorization", b"Basic " + base64.b64encode("ж:ж".encode())),
    ("Authorization", b"Bearer x"),
    ("Range", b"bytes=9999999999999999999999-"),
    ("Range", b"bytes=-0,,x-5," + b"0-1," * 200),
    ("If-None-Match", b"\xff, W/, \x80"),
    ("If-Range", b"\xff"),
    ("Accept-Language", b"\xff\xff,ru"),
    ("Content-Type", b"multipart/form-data; boundary=\xff"),
    ("Content-Length", b"-1"),
    ("Content-Length", b"1e3"),
    ("X-Photo-Name", b"%ff%fe%00%0d%0a.png"),
    ("X-Photo-Name", b"%" * 3000),
    ("X-Forwarded-Proto", b"https, \xff"),
    ("X-Forwarded-Host", b"[::1"),
    ("Last-Event-Id", b"\xd9\xa3"),
    ("Expect", b"100-continue"),
)
ODD_PATHS = (
    "/studio/events?after=x",
    "/studio/events?job=%00",
    "/studio/events?job=" + "x" * 60,
    "/studio/jobs?text=%ff%00&model=%00",
    "/studio/jobs?text=%25_%27%22",
    "/studio/jobs?days=nan",
    "/studio/jobs?days=inf",
    "/studio/jobs?after=999999999999-000000000000",
    "/studio/jobs?after=%00",
    "/studio/jobs?offset=1e3",
    "/studio/jobs?limit=1&limit=2",
    "/studio/jobs?kind=%00",
    "/studio/jobs/%00",
    "/studio/jobs/%ff%fe/photo",
    "/studio/jobs/..%2f..%2fjobs.db",
    "/studio/jobs/000000000000/video?download=x",
    "/studio/jobs/{job}/preview?v=%00",
    "/studio/photos/%00",
    "/studio/photos/%2e%2e/view",
    "/studio/static/%00",
    "/studio/static/%ff",
    "/studio/static/" + "x" * 5000,
    "/studio/locales/..%2fru.json",
    "/studio/estimate?model=mini&seconds=99999999999999999999999&quality=standard",
    "/studio/estimate?model=%00&seconds=6&quality=standard",
    "/studio/estimate?model=~nosuchuser&seconds=6&quality=standard",
    "/studio/estimate?model=mini&seconds=6&quality=standard&steps=1e2",
    "/studio/estimate?model=mini&seconds=6&quality=standard&width=nan",
    "/studio/doctor?language=%00",
    "/studio/doctor?fresh=x",
    "/static/%00",
    "/static/%ff",
    "/static/" + "x" * 5000,
    "/static/..%2f..%2frequirements.txt",
    "/assets/%00",
    "/assets/" + "x" * 5000,
    "/assets/..%5c..%5cx",
    "/gradio_api/info?page=%00",
    "/gradio_api/info?all_endpoints=x",
    "/config?page=%00&deep_link=..%2f..%2fx",
    "/?deep_link=..%2f..%2fx&__theme=%00",
    "/?job=%00",
    "/gradio_api/queue/data",
    "/gradio_api/queue/data?session_hash=nosuch",
    "/gradio_api/queue/data?session_hash=%00%ff",
    "/gradio_api/call/generate/nosuch",
    "/gradio_api/call/generate/%00",
    "/gradio_api/call/generate/" + "0" * 32,
    "/gradio_api/call/v2/job/" + "0" * 32,
    "/gradio_api/heartbeat/%00",
    "/gradio_api/call/v2/generate/nosuch",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
    "/manifest.json",
    "/theme.css",
    "/login?next=//evil.example",
    "//evil.example/login",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/" + "a/" * 10_000,
    "/%",
    "/?%ff=%fe",
)
FOLDERS = (
    "~nosuchuser",
    "~nosuchuser/x",
    "~",
    "x" * 4000,
    "/" + "x/" * 2000,
    "/" + "x" * 300,
    "a\0b",
    "\ud800",
    "",
    " ",
    ".",
    "..",
    "/",
    "/dev/zero",
    "/etc/passwd",
    "/root",
    "/proc/self",
    "C:\\",
    "\\\\host\\share",
    "nul",
    "https://huge.example/x",
)


@dataclass(frozen=True)
class Odd:
    """login: who sends it. body: None for none. headers: beside host, login, length and `Connection: close`."""

    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    login: tuple[str, str] = BEN

    def __str__(self) -> str:
        return f"{self.method} {self.path[:80]} {dict(self.headers)!s:.80} {(self.body or b'')[:60]!r}"

    def to_bytes(self, port: int) -> bytes:
        given = {name.lower() for name, _ in self.headers}
        own = [("Host", f"127.0.0.1:{port}".encode()), ("Connection", b"close")]
        if "authorization" not in given:
            own.append(("Authorization", b"Basic " + base64.b64encode(":".join(self.login).encode())))
        if self.body is not None:
            if "content-type" not in given:
                own.append(("Content-Type", b"application/json"))
            if "content-length" not in given:
                own.append(("Content-Length", str(len(self.body)).encode()))
        head = f"{self.method} {self.path} HTTP/1.1\r\n".encode()
        lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in [*own, *self.headers])
        return head + lines + b"\r\n" + (self.body or b"")


def odd_requests() -> Iterator[Odd]:
    for path, body in itertools.product(GRADIO_POSTS, GRADIO_BODIES):
        yield Odd("POST", path, body)
    for (method, path), header in itertools.product(OWN_ROUTES, ODD_HEADERS):
        yield Odd(method, path, b"{}" if method == "POST" else None, (header,))
    for path in ODD_PATHS:
        yield Odd("GET", path)
    for method in ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X" * 500):
        for _, path in OWN_ROUTES[::3]:
            yield Odd(method, path, b"{}" if method in ("PUT", "PATCH") else None)
    for folder in FOLDERS:
        for more in ({}, {"name": folder[:61]}, {"name": 5}):
            yield Odd("POST", "/studio/models", json.dumps({"folder": folder, **more}).encode(), login=ANNA)
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x", "x"):
        for body in (
            b"",
            b"--x",
            b"--x\r\n\r\n",
            b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--",
            b"\xff" * 99,
        ):
            yield Odd("POST", "/gradio_api/upload", body, (("Content-Type", kind.encode()),))
            yield Odd("POST", "/login", body, (("Content-Type", kind.encode()),))
