"""One slow disk or video keeps nobody waiting: the event loop touches no file of the data folder and no database."""

import asyncio
import builtins
import io
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.media.photo.decode_process import Decoded
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.ui.auth.ended_sessions import EndedSessions
from fanslymotion.ui.context import Studio
from fanslymotion.ui.exports import stills
from fanslymotion.ui.gradio_app.blocks import Endpoints
from fanslymotion.ui.uploads import photos
from fanslymotion.ui.uploads.photos import Photo
from PIL import Image
from starlette.testclient import TestClient

from .conftest import BEN

HANGS = 20.0
"""Seconds: they only end a test that hangs."""
CALLS = ("stat", "lstat", "mkdir", "unlink", "rmdir", "rename", "replace", "scandir", "listdir", "open", "link")


def in_the_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@pytest.fixture
def held_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the event loop waited for: calls for files below the data and the models' folder, and for the database."""
    found: list[str] = []

    def watch(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*args: Any, **more: Any) -> Any:
            ours = args and str(args[0]).startswith((str(settings.home), str(settings.models)))
            if ours and in_the_loop():
                found.append(f"{name} {os.path.relpath(str(args[0]), settings.home)}")
            return real(*args, **more)

        monkeypatch.setattr(module, name, call)

    use = Store._use

    @contextmanager
    def watched(store: Store) -> Any:
        if in_the_loop():
            found.append("the database")
        with use(store):
            yield

    for name in CALLS:
        watch(os, name)
    for module in (builtins, io):
        watch(module, "open")
    monkeypatch.setattr(Store, "_use", watched)
    return found


@pytest.fixture
def quick_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos are taken as they are: the process that decodes them takes half a second to start."""

    async def take(_turns: object, _decoder: object, source: Path, photo: Photo) -> Decoded:
        if photo.name == "bad.png":
            raise BadInput("no photo")
        for path in (photo.path, photo.view):
            await asyncio.to_thread(shutil.copyfile, source, path)
        return Decoded(320, 180, (), "")

    monkeypatch.setattr(photos, "_decode_in_turn", take)


@pytest.mark.usefixtures("quick_photos")
def test_no_request_holds_up_the_others(
    studio: Studio, browser: Callable[..., TestClient], done: Callable[..., Job], photo: Path, held_up: list[str]
) -> None:
    studio.logins.ended = EndedSessions(studio.settings.home / "ended-sessions")
    job, client = done("ben"), browser(BEN)
    assert job.video
    name = {"X-Photo-Name": "a.png"}

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        before = len(held_up)
        answer = client.request(method, path, **more)
        held_up[before:] = [f"{method} {path}: {call}" for call in held_up[before:]]
        return answer

    added = ask("POST", "/studio/photos", content=photo.read_bytes(), headers=name).json()
    ask("POST", "/studio/photos", content=b"no photo", headers={"X-Photo-Name": "bad.png"})
    ask("POST", "/studio/settings", content=b"no video", headers=name)
    ask("GET", added["view"])
    sent = ask("POST", "/studio/jobs", json={"photos": [added["id"]], "settings": {"resolution": "480p"}}).json()
    ask("POST", f"/studio/jobs/{sent['jobs'][0]['id']}/move", json={"place": 1})
    uploaded = client.post("/gradio_api/upload", files={"files": ("a.png", photo.read_bytes())}).json()[0]
    before = len(held_up)
    caller: Any = SimpleNamespace(username="ben")
    sent_by_script = Endpoints(studio).generate(caller, uploaded, "480p", 6, "standard", "", "crop")
    assert asyncio.run(sent_by_script)
    held_up[before:] = [f"the endpoint generate: {call}" for call in held_up[before:]]
    for path in ("", "/video", "/photo", "/poster", "/still", "/log", "/exports/video.mp4", "/exports/video.mp4/file"):
        ask("GET", f"/studio/jobs/{job.id}{path}")
    for path in ("/options", "/machine", "/jobs", f"/zip?jobs={job.id}"):
        ask("GET", f"/studio{path}")
    ask("GET", "/studio/estimate?model=mini&seconds=6&quality=standard")
    ask("DELETE", f"/studio/jobs/{job.id}")
    ask("POST", "/logout")
    assert "\n".join(held_up) == ""


def test_pictures_that_are_being_made_leave_threads_for_all_else(
    studio: Studio, done: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gallery asks for two dozen at once; each is an ffmpeg, and the machine has six threads for all requests."""
    jobs, go_on, begun = [done("ben", at=float(at)) for at in range(3)], threading.Event(), threading.Semaphore(0)

    def slow(*_: object) -> Image.Image:
        begun.release()
        assert go_on.wait(2 * HANGS)
        return Image.new("RGB", (48, 48))

    monkeypatch.setattr(stills, "read_frame", slow)
    cookies = {"fanslymotion_session": studio.logins.open_session("ben")}

    async def browse() -> list[int]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        transport = httpx.ASGITransport(app=studio.guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies) as client:
            asked = [asyncio.create_task(client.get(f"/studio/jobs/{job.id}/still")) for job in jobs]
            try:
                while not begun.acquire(blocking=False):
                    await asyncio.sleep(0.01)
                other = await asyncio.wait_for(client.get(f"/studio/jobs/{jobs[0].id}"), HANGS)
            finally:
                go_on.set()
            return [answer.status_code for answer in (other, *await asyncio.gather(*asked))]

    assert asyncio.run(browse()) == [200] * 4
