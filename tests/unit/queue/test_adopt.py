"""Finished videos come back after the job list is lost; deleted ones do not."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.pipeline.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.metadata import settings_comment
from fanslymotion.pipeline.renderer import RendererCache
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue import jobs as jobs_module
from fanslymotion.queue import state
from fanslymotion.queue.adopt import adopt
from fanslymotion.queue.folders import Leftovers, tidy
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.rows import GONE_NAME, VIDEO_NAME
from fanslymotion.queue.tasks import make_produce, process_video_generation
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings

from .conftest import REQUEST


@pytest.fixture
def done(jobs: Jobs, photo: Path) -> Callable[[str], Job]:
    """A finished job with a small video that says how it was made."""

    def make(name: str) -> Job:
        job = jobs.submit(photo, REQUEST, name=name, owner="ben")
        state.claim(jobs.store, "w", 1.0)
        video = job.folder / VIDEO_NAME
        about = {"request": REQUEST.to_json(), "job": {"job": job.id, "name": name}}
        source = ["-f", "lavfi", "-i", "color=red:s=64x48:r=12:d=0.5"]
        comment = f"comment={settings_comment(about)}"
        command = [ffmpeg_path(), "-v", "error", *source, "-metadata", comment, str(video)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        state.finish(jobs.store, job.id, "w", VideoResult(video, 64, 48, 6, 12, {}), 2.0)
        return jobs.get(job.id)

    return make


def lose_the_list(jobs: Jobs) -> None:
    for table in (jobs.store.tables.Job, jobs.store.tables.Event):
        table.delete().execute()


def test_videos_come_back_with_name_settings_and_size(jobs: Jobs, done) -> None:
    before = done("мой снимок 😀.jpg")
    assert adopt(jobs.store, "anna") == 0, "it is in the list"
    lose_the_list(jobs)
    assert adopt(jobs.store, "anna") == 1
    after = jobs.get(before.id)
    assert (after.name, after.owner, after.request) == (before.name, "anna", REQUEST)
    assert (after.width, after.height, after.frames, after.fps) == (64, 48, 6, 12)
    assert after.video == before.video
    assert after.finished == pytest.approx(os.stat(before.video).st_mtime)
    assert adopt(jobs.store, "anna") == 0
    assert [event.text for event in jobs.events_since(after.id) if event.kind == "status"] == ["done"]


def test_the_photos_name_is_in_no_video_and_the_video_comes_back(jobs: Jobs, photo: Path) -> None:
    """Videos are published, and a photo's name may say who is on it and where."""
    request = VideoRequest(resolution="480p", seconds=6, quality="sampled", steps=1, model="mini", seed=3)
    job = jobs.submit(photo, request, name="annabella-hotel-berlin.jpg")
    row = state.claim(jobs.store, "w", 1.0)
    process_video_generation(jobs.store, row, "w", make_produce(jobs.store, RendererCache()), lambda _: None)
    video = jobs.get(job.id).video
    assert video is not None
    assert not re.search(rb"annabella|hotel|berlin", video.read_bytes(), re.IGNORECASE)
    lose_the_list(jobs)
    assert adopt(jobs.store, "") == 1
    assert jobs.get(job.id).name == f"video-{job.id}"


def test_what_is_not_ours_or_not_finished_stays_out(jobs: Jobs, done, settings: Settings, tmp_path: Path) -> None:
    foreign, renamed, linked = (done(name) for name in "abc")
    waiting = jobs.submit(foreign.folder / "photo.png", REQUEST)
    lose_the_list(jobs)
    (foreign.folder / VIDEO_NAME).write_bytes(b"no video at all")
    renamed.folder.rename(renamed.folder.with_name("holiday"))
    linked.folder.rename(tmp_path / "elsewhere")
    linked.folder.symlink_to(tmp_path / "elsewhere")
    assert adopt(jobs.store, "") == 0
    assert waiting.folder.is_dir()


def test_what_was_deleted_does_not_come_back(
    jobs: Jobs, done, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A player holds the video open on Windows, or the program is killed in the middle of deleting."""
    job = done("a")
    with monkeypatch.context() as patched:
        patched.setattr(jobs_module.shutil, "rmtree", lambda *_, **__: None)
        jobs.delete(job.id)
    assert (job.folder / VIDEO_NAME).exists()
    assert adopt(jobs.store, "") == 0
    tidy(jobs.store)
    Leftovers(jobs.store).remove(0.0)
    assert not job.folder.exists()
    assert not jobs.store.tables.Folder.select().exists()


def test_what_an_older_version_left_of_a_deleted_job_goes(jobs: Jobs, done) -> None:
    """It wrote no row for the folder, only a mark into it."""
    job = done("a")
    lose_the_list(jobs)
    (job.folder / GONE_NAME).touch()
    tidy(jobs.store)
    assert not job.folder.exists()


def test_a_video_of_a_deleted_job_is_not_taken_even_without_its_mark(jobs: Jobs, done, monkeypatch) -> None:
    """The mark could not be written, and the folder not be removed."""
    job = done("a")
    with monkeypatch.context() as patched:
        patched.setattr(jobs_module.shutil, "rmtree", lambda *_, **__: None)
        jobs.delete(job.id)
    (job.folder / GONE_NAME).unlink()
    assert adopt(jobs.store, "") == 0


def test_tidying_up_spares_what_can_come_back(jobs: Jobs, done) -> None:
    job = done("a")
    lose_the_list(jobs)
    old = 10.0
    os.utime(job.folder, (old, old))
    tidy(jobs.store)
    assert adopt(jobs.store, "") == 1
