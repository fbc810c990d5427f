"""A worker whose every move the test makes: the page (`--no-worker`) shows exactly what was written, when it was."""

import io
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
from fanslymotion.messages import Message
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.exports.formats import Export
from fanslymotion.pipeline.media.exports.make import make_export
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Status
from fanslymotion.settings import ROOT, Settings
from fanslymotion.ui.exports.background import clip_of
from PIL import Image
from playwright.sync_api import Page, Route

NAME = "puppet"


def small_sample() -> Path:
    """The sample in 640 × 360 pixels, made once: all 1600 × 900 cost page and browser a second at each choice."""
    path = ROOT / "build" / "tests" / "small" / "sample.jpg"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(f".{os.getpid()}")
        with Image.open(ROOT / "assets" / "sample.jpg") as sample:
            sample.resize((640, 360)).save(half, "JPEG")
        half.replace(path)
    return path


SAMPLE = small_sample()


class Puppet:
    """Jobs of the studio in `home`, taken and worked on by hand."""

    def __init__(self, home: Path, models: Path) -> None:
        self.jobs = Jobs(Settings.local(home, models))
        self.store = self.jobs.store

    def queue(self, photo: Path = SAMPLE, name: str = "sample.jpg", **settings: Any) -> str:
        return self.jobs.submit(photo, VideoRequest(**{"seed": 1, **settings}), name=name).id

    def take(self, *photo: Path, **settings: Any) -> str:
        """A job that runs: the first of the line, or a new one."""
        if not self.jobs.count(statuses=(Status.QUEUED,)):
            self.queue(*photo, **settings)
        row = transitions.claim(self.store, NAME, time.time())
        assert row is not None
        return row.id

    def progress(self, job: str, **changes: Any) -> None:
        """stage, step, steps, window, windows, fraction, eta: as they come into the row."""
        assert transitions.renew(self.store, job, NAME, changes)

    def say(self, job: str, text: str, level: str = "INFO", kind: str = "log") -> None:
        with self.store.write():
            transitions.renew(self.store, job, NAME, {}, log=True)
            transitions.add_event(self.store, job, time.time(), kind, text, level)

    def measure(self, job: str, load: float, stage: str = "sampling") -> None:
        sample = {"device": "gpu", "name": "NVIDIA Test 24 GB", "load": load, "temperature": 61, "stage": stage}
        self.say(job, json.dumps(sample | {"used": 9 << 30, "total": 24 << 30}), kind="watch")

    def preview(self, job: str, version: int, colour: str = "teal", frames: int = 1) -> None:
        """An animation of `frames` pictures; the first is of that colour, the others are black."""
        pictures = [Image.new("RGB", (160, 90), colour if at == 0 else "black") for at in range(frames)]
        kept = io.BytesIO()
        pictures[0].save(kept, "WEBP", save_all=frames > 1, append_images=pictures[1:], duration=200, lossless=True)
        table = self.store.tables.Preview
        with self.store.write():
            transitions.renew(self.store, job, NAME, {"preview_version": version})
            table.replace(job=job, version=version, image=kept.getvalue()).execute()

    def finish(self, job: str) -> None:
        """With a video that has a head and no frames."""
        video = self.jobs.get(job).folder / "video.mp4"
        video.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
        assert transitions.finish(self.store, job, NAME, VideoResult(video, 848, 480, 72, 12, {}), time.time())

    def film(self, job: str, frames: int = 24, fps: int = 12, size: tuple[int, int] = (160, 96)) -> None:
        """End it with a video that plays: a grey that grows lighter, 5 levels with each frame."""
        video = self.jobs.get(job).folder / "video.mp4"
        with VideoEncoder(video, *size, fps) as encoder:
            for number in range(frames):
                encoder.write(np.full((size[1], size[0], 3), 20 + 5 * number, np.uint8))
        assert transitions.finish(self.store, job, NAME, VideoResult(video, *size, frames, fps, {}), time.time())

    def let_play(self, page: Page) -> None:
        """Not every Chromium has H.264: in this tab the videos of `film` come as WebM."""

        def as_webm(route: Route) -> None:
            video = make_export(clip_of(self.jobs.get(route.request.url.split("/")[-2])), Export("webm"))
            route.continue_(url=route.request.url.replace("/video", f"/exports/{video.name}/file"))

        page.route(re.compile(r"/studio/jobs/\w+/video$"), as_webm)

    def fail(self, job: str, error: str, *tried: str) -> None:
        assert transitions.fail(self.store, job, NAME, error, time.time(), tried)

    def say_everybody(self, notice: Message) -> None:
        with self.store.write():
            self.store.set_meta("notice", json.dumps(notice.to_json()))

    def clear(self) -> None:
        """Every job ends and goes, and a queue that was paused goes on: the studio is another test's next."""
        self.jobs.resume()
        for job in self.jobs.list(statuses=(Status.RUNNING, Status.QUEUED)):
            if job.status is Status.QUEUED:
                self.jobs.cancel(job.id)
            else:
                self.fail(job.id, "the test is over")
        self.jobs.clean()
        for job in self.jobs.list():
            self.jobs.delete(job.id)
