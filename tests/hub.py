"""A server on this machine that speaks the hub's protocol for small models, and misbehaves on demand."""

import hashlib
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from fanslymotion.settings import Settings

COMMIT = "c0ffee" * 6 + "c0ff"
PIECE = 64 * 1024
LARGE = 1000
"""Bytes from which a file is kept in LFS and answered with a redirect to the storage, as the hub does."""


class Hub:
    """files: by path. Faults, each used up in order: statuses[path], drops[path] (bytes after which the line is cut),
    corrupt[path] (times a byte is wrong). `api` is the path of the question about the repository.

    sent: bytes of each file that went out, of which a few MB may wait in the system's buffers. starts: the byte of the
    file with which each answer began. requests: (path, headers) in order. delay: seconds between pieces.
    """

    def __init__(self, repository: str, files: dict[str, bytes]) -> None:
        self.repository = repository
        self.files = files
        self.statuses: dict[str, list[int]] = {}
        self.drops: dict[str, list[int]] = {}
        self.corrupt: Counter[str] = Counter()
        self.retry_after = ""
        self.token = ""
        self.ranges = True
        self.hashes = True
        self.delay = 0.0
        self.sent: Counter[str] = Counter()
        self.starts: defaultdict[str, list[int]] = defaultdict(list)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.grown = threading.Condition()
        self.url = ""

    def wait_sent(self, path: str, count: int) -> None:
        with self.grown:
            assert self.grown.wait_for(lambda: self.sent[path] >= count, timeout=120), f"only {self.sent[path]} bytes"

    def info(self) -> dict:
        siblings = []
        for path, data in self.files.items():
            entry: dict = {"rfilename": path, "size": len(data)}
            if self.hashes:
                entry["blobId"] = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
                if len(data) >= LARGE:
                    sha = hashlib.sha256(data).hexdigest()
                    entry["lfs"] = {"size": len(data), "sha256": sha, "pointerSize": 134}
            siblings.append(entry)
        return {"id": self.repository, "sha": COMMIT, "private": False, "siblings": siblings}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, *connection: Any) -> None:
        self.hub = hub
        super().__init__(*connection)

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((path, dict(self.headers)))
        if path.startswith(f"/api/models/{self.hub.repository}"):
            return None if self.refused("api") else self.answer(200, json.dumps(self.hub.info()).encode())
        prefix = f"/{self.hub.repository}/resolve/{COMMIT}/"
        if path.startswith(prefix):
            name = path.removeprefix(prefix)
            if self.refused(name):
                return None
            if len(self.hub.files[name]) >= LARGE:
                self.send_response(302)
                # Another host name: what belongs to the hub (the token) must not follow there.
                self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/storage/{name}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            return self.send_file(name)
        if path.startswith("/storage/"):
            return self.send_file(path.removeprefix("/storage/"))
        return self.answer(404, b"{}")

    def refused(self, name: str) -> bool:
        waiting = self.hub.statuses.get(name) or []
        if waiting:
            self.answer(waiting.pop(0), b'{"error": "no"}')
            return True
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self.answer(401, b'{"error": "gated"}', {"X-Error-Code": "GatedRepo"})
            return True
        return False

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503) and self.hub.retry_after:
            self.send_header("Retry-After", self.hub.retry_after)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def send_file(self, name: str) -> None:
        data, start = self.hub.files[name], 0
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        wanted = self.headers.get("Range", "")
        same = self.headers.get("If-Range", tag) == tag
        if wanted and self.hub.ranges and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.hub.starts[name].append(start)
        self.send_response(206 if start else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.send_body(name, data, start)

    def send_body(self, name: str, data: bytes, start: int) -> None:
        cuts = self.hub.drops.get(name) or []
        end = min(len(data), start + cuts.pop(0)) if cuts else len(data)
        wrong = start if self.hub.corrupt[name] > 0 else -1
        self.hub.corrupt[name] -= 1
        while start < end:
            piece = bytearray(data[start : min(end, start + PIECE)])
            if start == wrong:
                piece[0] ^= 0xFF
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            start += len(piece)
            with self.hub.grown:
                self.hub.sent[name] += len(piece)
                self.hub.grown.notify_all()
            if self.hub.delay:
                time.sleep(self.hub.delay)
        if end < len(data):
            self.close_connection = True


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def published(repository: str, folder: Path, more: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a folder's files and some more."""
    for key in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with serve(Hub(repository, files | more)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def own_models(settings: Settings, place: Path) -> Settings:
    """The same settings with a models folder of their own: what is downloaded is no other test's."""
    folder = place / "models"
    folder.mkdir()
    return replace(settings, models=folder)
