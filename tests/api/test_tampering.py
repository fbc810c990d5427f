"""Requests that no page of ours sends: each is refused with a sentence, reads, changes and breaks nothing."""

import base64
import itertools
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from fanslymotion.settings import ROOT
from fanslymotion.tests.api.logins import ANNA, BEN
from fanslymotion.tests.studio import Studio

SAMPLE = ROOT / "assets" / "sample.jpg"

PATHS = (
    "../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x",
    "//host/share/x",
    "file:///etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "mini/../../x",
    "nul",
    "a\x00b",
    "’ OR 1=1 --",
    "<script>alert(1)</script>",
    "x" * 10_000,
)
NUMBERS = (-1, 10**9, 10**400, 1e308, "1", True, [1], {"a": 1}, "NaN", [[[[[[]]]]]])
WORDS = ("resolution", "quality", "mode", "model", "fit", "shape")
COUNTS = ("seconds", "seed", "motion_bucket_id", "steps", "fps", "noise_aug_strength", "position")
JOB_ROUTES = (
    ("GET", ""), ("GET", "/photo"), ("GET", "/poster"), ("GET", "/still"), ("GET", "/video"), ("GET", "/preview"),
    ("GET", "/log"), ("GET", "/last"), ("GET", "/last-poster"),
    ("POST", "/cancel"), ("POST", "/retry"), ("POST", "/again"), ("POST", "/move"), ("POST", "/favourite"),
    ("DELETE", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Tampered:
    """What is sent; `{job}` and `{photo}` stand for another login's."""

    method: str
    path: str
    body: Any = None
    raw: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


def all_of_them() -> Iterator[Tampered]:
    photo = ["{mine}"]
    for key, value in itertools.product(WORDS, (*PATHS, 5, None, [], {})):
        if (key, value) != ("fit", None):
            yield Tampered("POST", "/studio/jobs", {"photos": photo, "settings": {key: value}})
    for key, value in itertools.product(COUNTS, (*NUMBERS, PATHS[0])):
        # a number is a number: a seed may be large, a strength of noise small
        if not (key == "seed" and value == 10**9):
            yield Tampered("POST", "/studio/jobs", {"photos": photo, "settings": {key: value}})
    for value in (*PATHS, 5, None, {}, [], "true"):
        yield Tampered("POST", "/studio/jobs", {"photos": photo, "settings": {"detail": value}})
    for value in (*PATHS, 5, None, {}, [], "{photo}", "0" * 32):
        yield Tampered("POST", "/studio/jobs", {"photos": [value]})
    for body in ({}, {"photos": []}, {"photos": "{mine}"}, {"photos": photo * 51}, [], 5, "x", None):
        yield Tampered("POST", "/studio/jobs", body)
    for key in ("path", "owner", "folder", "__class__", "check", "work", "photo"):
        yield Tampered("POST", "/studio/jobs", {"photos": photo, key: "/etc/passwd"})
        yield Tampered("POST", "/studio/jobs", {"photos": photo, "settings": {key: "/etc/passwd"}})
    for raw in (b"{", b"\xff\xfe\x00", b"[" * 20_000, b'{"photos": NaN}', b"{" + b" " * 70_000 + b"}"):
        yield Tampered("POST", "/studio/jobs", raw=raw)
    for (method, route), job in itertools.product(JOB_ROUTES, ("{job}", "0" * 12, *map(encoded, PATHS[:8]))):
        body = {"/move": {"place": 1}, "/favourite": {"favourite": True}}.get(route, {} if method == "POST" else None)
        yield Tampered(method, f"/studio/jobs/{job}{route}", body)
    for part, path in itertools.product(("static", "locales"), map(encoded, PATHS[:10])):
        yield Tampered("GET", f"/studio/{part}/{path}")
    for path in ("/etc/passwd", "{home}/jobs.db", "{home}/jobs/{job}/photo.png", *PATHS[:4]):
        yield Tampered("GET", f"/gradio_api/file={path}")
    for path in PATHS[:6]:
        yield Tampered("GET", f"/studio/photos/{encoded(path)}")
        yield Tampered("GET", f"/studio/photos/{encoded(path)}/view")
        yield Tampered("POST", f"/studio/models/{encoded(path)}/download")
    yield Tampered("GET", "/studio/photos/{photo}")
    yield Tampered("GET", "/studio/photos/{photo}/view")
    for query in (
        "model=../x&seconds=6&quality=standard", "model=mini&seconds=-1&quality=standard", "model=mini&seconds=x",
        "model=mini&seconds=6&quality=standard&width=0", "model=mini&seconds=6&quality=standard&height=99999999",
        "model=mini&seconds=6&quality=standard&steps=101", "model=mini&seconds=6&quality=../x", "",
    ):  # fmt: skip
        yield Tampered("GET", f"/studio/estimate?{query}")
    for query in ("limit=0", "limit=100000", "offset=-1", "kind=../x", "days=-1", "days=NaN", f"text={'x' * 200}"):
        yield Tampered("GET", f"/studio/jobs?{query}")
    for after in ("-1", "x", str(2**63)):
        yield Tampered("GET", f"/studio/events?after={after}")
    for raw in (
        b"",
        b"GIF89a",
        b"<svg onload=alert(1)>",
        b"\x89PNG\r\n\x1a\n" + b"\x00" * 100,
        b"%!PS-Adobe",
        b"\x00" * 500,
    ):
        yield Tampered("POST", "/studio/photos", raw=raw, headers=(("X-Photo-Name", "..%2f..%2fevil.png"),))
        yield Tampered("POST", "/studio/settings", raw=raw, headers=(("X-Photo-Name", "..%2f..%2fevil.mp4"),))
    box = b"\xff\xff\xff\xffmoov"
    for raw in (box * 100, b"\x00\x00\x00\x08moov", b"\x00\x00\x00\x01moov" + b"\xff" * 8, b"\x00" * 9000):
        yield Tampered("POST", "/studio/settings", raw=raw)
    for act in ("stop", "remove", "download", "x"):
        yield Tampered("POST", f"/studio/models/mini/{act}x")
    for path in ("/studio/queue/pause", "/studio/workers/restart", "/studio/doctor"):
        yield Tampered("GET" if path.endswith("doctor") else "POST", path)  # the machine is Anna's


def encoded(path: str) -> str:
    return quote(path, safe="%")


def words_of(request: Tampered) -> str:
    return f"{request.method} {request.path} {str(request.body)[:60]} {(request.raw or b'')[:12]!r}"


def upload(studio: Studio, login: tuple[str, str]) -> str:
    data = {"X-Photo-Name": "sample.jpg"}
    sent = httpx.post(f"{studio.url}/studio/photos", content=SAMPLE.read_bytes(), headers=data, auth=login)
    return sent.json()["id"]


def test_every_tampered_request_is_refused(guarded: Studio) -> None:
    hers, mine = upload(guarded, ANNA), upload(guarded, BEN)
    made = httpx.post(f"{guarded.url}/studio/jobs", json={"photos": [hers]}, auth=ANNA).json()
    job = made["jobs"][0]["id"]
    places = {"{job}": job, "{photo}": hers, "{mine}": mine, "{home}": str(guarded.home)}

    def filled(text: str) -> str:
        for place, value in places.items():
            text = text.replace(place, value)
        return text

    requests = list(all_of_them())
    assert len(requests) >= 200
    before = sorted(path.name for path in (guarded.home / "jobs").iterdir())
    wrong = []
    with httpx.Client(auth=BEN, timeout=60) as browser:
        for request in requests:
            content = request.raw
            if content is None and (request.body is not None or request.method == "POST"):
                content = filled(json.dumps(request.body)).encode()
            answer = browser.request(
                request.method,
                guarded.url + filled(request.path),
                content=content,
                headers={"Content-Type": "application/json", **dict(request.headers)},
            )
            told = answer.text
            if not 400 <= answer.status_code < 500:
                wrong.append(f"{answer.status_code}: {words_of(request)}")
            elif "Traceback" in told or "root:" in told or "sqlite" in told.lower() or str(guarded.home) in told:
                wrong.append(f"it says {told[:200]}: {words_of(request)}")
    assert not wrong, "\n".join(wrong)
    assert sorted(path.name for path in (guarded.home / "jobs").iterdir()) == before
    assert httpx.get(f"{guarded.url}/studio/jobs/{job}", auth=ANNA).json()["status"] == "queued"
    assert "Traceback" not in guarded.said
    fine = httpx.post(f"{guarded.url}/studio/jobs", json={"photos": [mine]}, auth=BEN)
    assert fine.status_code == 200, "what is not tampered with is taken"


def test_a_photo_that_is_too_large_is_refused_before_it_is_read(guarded: Studio) -> None:
    login = base64.b64encode(":".join(BEN).encode()).decode()
    head = (
        f"POST /studio/photos HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\nContent-Length: {10**12}\r\n\r\nx"
    )
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=60) as line:
        line.sendall(head.encode())
        assert line.recv(100).startswith(b"HTTP/1.1 4")
