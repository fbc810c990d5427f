"""The page's routes in this process, without a server, a worker or a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.ui.app import build_app
from fanslymotion.ui.auth.logins import Logins
from fanslymotion.ui.context import Studio
from starlette.testclient import TestClient

ANNA, BEN = ("anna", "secret-1"), ("ben", "secret-2")
Login = tuple[str, str]


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    """With two logins; the machine is Anna's."""
    made = build_app(settings, Logins(dict((ANNA, BEN)), b"k" * 32), "127.0.0.1")
    yield made
    made.close()
    made.photos.close()
    made.jobs.close()


@pytest.fixture
def browser(studio: Studio) -> Callable[..., TestClient]:
    """A browser of somebody's; without a login one that has none yet."""

    def open_browser(login: Login | None = None) -> TestClient:
        client = TestClient(studio.guard, base_url="http://127.0.0.1", follow_redirects=False)
        if login is not None:
            client.cookies.set("fanslymotion_session", studio.logins.open_session(login[0]))
        return client

    return open_browser


@pytest.fixture
def done(studio: Studio, photo: Path) -> Callable[..., Job]:
    """A finished job with a video of a few bytes."""

    def make(owner: str = "ben", name: str = "her photo.jpg", at: float = 2.0) -> Job:
        job = studio.jobs.submit(photo, VideoRequest(seed=1), name=name, owner=owner)
        row = transitions.claim(studio.jobs.store, "w", 1.0)
        assert row is not None
        video = job.folder / "video.mp4"
        video.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
        transitions.finish(studio.jobs.store, row.id, "w", VideoResult(video, 848, 480, 72, 12, {}), at)
        return studio.jobs.get(job.id)

    return make
