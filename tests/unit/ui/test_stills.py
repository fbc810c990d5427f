"""The gallery's picture of a video is its middle frame, made by the real encoder and read by the real page."""

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.queue.types import Job
from fanslymotion.ui.uploads import photos
from PIL import Image
from starlette.testclient import TestClient

from .conftest import BEN

Browser = Callable[..., TestClient]
SIZE, FPS = (848, 480), 12


def film(job: Job) -> None:
    """A red half, one green frame in the middle, a blue half."""
    assert job.video is not None
    job.video.unlink()
    middle = job.frames // 2
    with VideoEncoder(job.video, *SIZE, FPS) as encoder:
        for index in range(job.frames):
            colour = (200, 0, 0) if index < middle else (0, 200, 0) if index == middle else (0, 0, 200)
            encoder.write(np.full((SIZE[1], SIZE[0], 3), colour, np.uint8))


def picture(client: TestClient, job: Job) -> Image.Image:
    [listed] = [one for one in client.get("/studio/jobs?kind=done").json()["jobs"] if one["id"] == job.id]
    answer = client.get(listed["video"]["still"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    return Image.open(io.BytesIO(answer.content)).convert("RGB")


def test_it_is_the_middle_frame(browser: Browser, done: Callable[..., Job]) -> None:
    job = done("ben")
    film(job)
    for _ in range(2):  # made, and found again
        shown = picture(browser(BEN), job)
        assert shown.size == (480, 272) or shown.size == (480, 271)
        assert np.asarray(shown).mean((0, 1)) == pytest.approx((0, 200, 0), abs=25)
    assert (job.folder / "still.jpg").is_file()


def test_a_video_that_cannot_be_read_shows_its_photo(browser: Browser, done: Callable[..., Job]) -> None:
    job = done("ben")
    client = browser(BEN)
    shown = picture(client, job)
    photo = Image.open(io.BytesIO(client.get(f"/studio/jobs/{job.id}/poster").content)).convert("RGB")
    assert np.array_equal(np.asarray(shown), np.asarray(photo))
    assert not (job.folder / "still.jpg").exists(), "once the file is back, so is its frame"


def test_a_full_disk_shows_the_gallery_all_the_same(
    browser: Browser, done: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner looks there for what may be deleted."""

    def full(path: Path, data: bytes, **named: bool) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    job = done("ben")
    film(job)
    monkeypatch.setattr(photos, "write_whole", full)
    client = browser(BEN)
    assert np.asarray(picture(client, job)).mean((0, 1)) == pytest.approx((0, 200, 0), abs=25)
    answer = client.get(f"/studio/jobs/{job.id}/poster")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    Image.open(io.BytesIO(answer.content)).load()
    assert sorted(path.name for path in job.folder.glob("*.jpg")) == []
