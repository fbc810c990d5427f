"""The picture that a video ends with: kept with the job, brought along by its takes, refused where it cannot be had."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput, RenderError
from fanslymotion.messages import codes
from fanslymotion.pipeline.families.ltx.random_model import build
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.import_orphans import import_orphans
from fanslymotion.queue.store.rows import LAST_PHOTO_NAME, VIDEO_NAME
from fanslymotion.queue.types import Job, Status
from fanslymotion.queue.worker.attempt import begin_work
from fanslymotion.settings import Settings
from fanslymotion.tests.moving_video import video
from PIL import Image

from .store.test_import_orphans import lose_the_list


@pytest.fixture(scope="module")
def able(tmp_path_factory: pytest.TempPathFactory) -> VideoRequest:
    """For a model that can be told which picture a video ends with."""
    return VideoRequest(model=str(build(tmp_path_factory.mktemp("able") / "able")), seed=7)


@pytest.fixture
def end(tmp_path: Path) -> Path:
    """A picture that lies in its file, by its EXIF, and stands."""
    path = tmp_path / "конец 😀.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(path, exif=exif)
    return path


def made(jobs: Jobs, photo: Path, request: VideoRequest, end: Path, takes: int = 1) -> list[Job]:
    return jobs.submit_all([(photo, "Sea")], request, owner="anna", takes=takes, last=(end, end.name))


def pixels(job: Job) -> bytes:
    assert job.last_photo is not None
    return job.last_photo.open().tobytes()


def test_it_is_kept_with_the_job(jobs: Jobs, photo: Path, able: VideoRequest, end: Path, settings: Settings) -> None:
    first, second = made(jobs, photo, able, end, takes=2)
    end.unlink()
    assert first.last_photo is not None
    assert second.last_photo is not None
    assert (first.last_photo.path, first.last_photo.size) == (first.folder / LAST_PHOTO_NAME, (200, 300))
    assert (first.last_name, first.name) == ("конец 😀.jpg", "Sea")
    assert first.last_photo.sha256 not in ("", first.photo.sha256)
    assert os.path.samefile(first.last_photo.path, second.last_photo.path), "read and kept once"
    assert Jobs(settings).get(first.id) == first
    assert jobs.submit(photo, able).last_photo is None


def test_it_comes_along_with_takes_and_retries_but_not_with_what_follows(
    jobs: Jobs, photo: Path, able: VideoRequest, end: Path
) -> None:
    (old,) = made(jobs, photo, able, end)
    (take,) = jobs.again(old.id)
    assert (take.last_photo and take.last_photo.sha256, take.last_name) == (
        old.last_photo and old.last_photo.sha256,
        old.last_name,
    )
    assert transitions.claim(jobs.store, "w", time.time()) is not None
    path = video(old.folder / VIDEO_NAME, 72, size=(640, 360), fps=12)
    assert transitions.finish(jobs.store, old.id, "w", VideoResult(path, 640, 360, 72, 12, {}), time.time())
    assert jobs.continue_video(old.id).last_photo is None
    wanted = pixels(old)
    jobs.delete(old.id)
    jobs.cancel(take.id)
    again = jobs.retry(take.id, request=replace(take.request, resolution="720p"))
    assert pixels(again) == wanted

    assert again.last_photo is not None
    again.last_photo.path.unlink()
    with pytest.raises(BadInput, match=f"the last picture of job {again.id} is gone; choose it again"):
        jobs.again(again.id)
    with pytest.raises(RenderError, match=r"last picture is gone from .*submit the photos again") as refused:
        begin_work(again)
    assert refused.value.message.code == codes.BAD_PHOTO


def test_what_cannot_be_had_is_said_and_leaves_nothing(
    jobs: Jobs, photo: Path, able: VideoRequest, end: Path, settings: Settings
) -> None:
    small, broken = end.with_name("small.png"), end.with_name("broken.png")
    Image.new("RGB", (40, 40)).save(small)
    broken.write_bytes(b"no picture")
    for request, picture, said in (
        (
            VideoRequest(model="mini"),
            end,
            "the model mini cannot be told .*choose one of ltx-13b, ltx-2b, wan-14b-fast or leave",
        ),
        (replace(able, loop=True), end, "a loop ends with its first picture; turn the loop off"),
        (able, small, r"small\.png is .*40"),
        (able, broken, r"broken\.png is not a photo"),
        (able, end.with_name("missing.jpg"), r"no file .*missing\.jpg"),
    ):
        with pytest.raises(BadInput, match=said):
            made(jobs, photo, request, picture)
    assert jobs.count() == 0
    assert not settings.jobs_dir.is_dir() or not any(settings.jobs_dir.iterdir())


@pytest.mark.both_databases
def test_a_list_of_before_goes_on(settings: Settings, photo: Path, able: VideoRequest, end: Path) -> None:
    jobs = Jobs(settings)
    old = jobs.submit(photo, able)
    jobs.store.db.execute_sql("ALTER TABLE jobs DROP COLUMN last_photo")
    jobs.store.set_meta("schema", "7")
    jobs.close()
    again = Jobs(settings)
    assert again.get(old.id) == old
    (job,) = made(again, photo, able, end)
    assert again.get(job.id).last_photo == job.last_photo
    again.close()


def test_it_comes_back_where_the_list_is_lost(
    jobs: Jobs, photo: Path, able: VideoRequest, end: Path, settings: Settings
) -> None:
    (job,) = made(jobs, photo, able, end)
    about = {"request": able.to_json(), "job": {"job": job.id, "name": "x"}}
    video(job.folder / VIDEO_NAME, 6, size=(64, 48), fps=12, **about)
    wanted = pixels(job)
    lose_the_list(jobs)
    assert import_orphans(jobs.store) == 1
    found = jobs.get(job.id)
    assert found.status is Status.DONE
    assert pixels(found) == wanted
    (take,) = jobs.again(job.id)
    jobs.close()
    (settings.home / "jobs.db").write_bytes(b"this is no database" * 500)
    rescued = Jobs(settings)
    assert rescued.get(take.id).status is Status.FAILED
    assert pixels(rescued.retry(take.id)) == wanted
