"""Going on from a finished video: its last frame, the same settings, and the video itself where both are joined."""

import io
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.media.frame import read_last_frame
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue import jobs as jobs_module
from fanslymotion.queue import submit
from fanslymotion.queue.continuation import last_frame, video_before
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import VIDEO_NAME
from fanslymotion.queue.types import Job, Status
from fanslymotion.queue.worker import attempt
from fanslymotion.tests.moving_video import video
from PIL import Image

REQUEST = VideoRequest(resolution="480p", seconds=6, steps=3, seed=7, shape="1:1", position=0.2)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 frames of the size that the request asks for."""
    return video(tmp_path_factory.mktemp("film") / VIDEO_NAME, 72, size=(640, 640), fps=12)


@pytest.fixture
def old(jobs: Jobs, photo: Path, film: Path) -> Job:
    """A finished job of Anna's."""
    job = jobs.submit(photo, REQUEST, name="Sea", owner="anna")
    assert transitions.claim(jobs.store, "w", time.time()) is not None
    path = Path(shutil.copy(film, job.folder))
    assert transitions.finish(jobs.store, job.id, "w", VideoResult(path, 640, 640, 72, 12, {}), time.time())
    return jobs.get(job.id)


def test_the_last_frame_begins_the_next_video(jobs: Jobs, old: Job) -> None:
    made = jobs.continue_video(old.id)
    assert made.status is Status.QUEUED
    assert made.photo.open().tobytes() == read_last_frame(old.folder / VIDEO_NAME, 12).tobytes()
    assert replace(made.request, seed=7) == REQUEST
    assert made.request.seed != 7
    assert (made.name, made.owner) == ("Sea", "anna")


def test_both_parts_may_be_deleted_in_any_order(jobs: Jobs, old: Job) -> None:
    """The new job has the old video under a name of its own."""
    made, content = jobs.continue_video(old.id), (old.folder / VIDEO_NAME).read_bytes()
    before = video_before(made)
    assert before is not None
    assert os.path.samefile(before, old.folder / VIDEO_NAME), "it takes no room on the disk"
    jobs.delete(old.id)
    assert before.read_bytes() == content
    jobs.cancel(made.id)
    again = jobs.retry(made.id)
    jobs.delete(made.id)
    kept = video_before(again)
    assert kept is not None
    assert kept.read_bytes() == content
    for take in jobs.again(again.id, takes=2):
        assert video_before(take) is not None
        assert take.photo.sha256 == again.photo.sha256


@pytest.mark.parametrize("at", ["take_photo", "take_video"])
def test_one_that_is_deleted_meanwhile_is_told(jobs: Jobs, old: Job, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its last frame was read, or just before its video is linked."""
    module, name = (jobs_module, "last_frame") if at == "take_photo" else (submit, "link_whole")
    found = getattr(module, name)

    def late(*arguments: Any) -> Any:
        if at == "take_video":
            jobs.delete(old.id)
        taken = found(*arguments)
        if at == "take_photo":
            jobs.delete(old.id)
        return taken

    monkeypatch.setattr(module, name, late)
    with pytest.raises(BadInput, match=f"the video of job {old.id} is gone; make it again first"):
        jobs.continue_video(old.id)
    assert list(jobs.settings.jobs_dir.iterdir()) == []
    assert jobs.count() == 0


def test_deleting_the_new_part_leaves_the_old_video(jobs: Jobs, old: Job) -> None:
    made, content = jobs.continue_video(old.id), (old.folder / VIDEO_NAME).read_bytes()
    jobs.cancel(made.id)
    jobs.delete(made.id)
    assert not made.folder.exists()
    assert (old.folder / VIDEO_NAME).read_bytes() == content


def test_the_new_part_alone(jobs: Jobs, old: Job) -> None:
    assert video_before(jobs.continue_video(old.id, joined=False)) is None


def test_a_disk_without_links_gets_a_copy(jobs: Jobs, old: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    before = video_before(jobs.continue_video(old.id))
    assert before is not None
    assert before.read_bytes() == (old.folder / VIDEO_NAME).read_bytes()
    assert not os.path.samefile(before, old.folder / VIDEO_NAME)


def test_only_a_whole_finished_video_can_be_continued(jobs: Jobs, old: Job, photo: Path) -> None:
    waiting = jobs.submit(photo, REQUEST)
    with pytest.raises(BadInput, match="is queued; only a finished video can be continued"):
        jobs.continue_video(waiting.id)
    path = old.folder / VIDEO_NAME
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadInput, match=r"cannot be continued: video\.mp4 is not a whole mp4 video"):
        jobs.continue_video(old.id)
    path.unlink()
    with pytest.raises(BadInput, match="is gone; make it again first"):
        jobs.continue_video(old.id)
    assert jobs.count() == 2


def test_a_limit_of_waiting_jobs_holds(jobs: Jobs, old: Job) -> None:
    jobs.continue_video(old.id, limit=1)
    with pytest.raises(BadInput, match="at most 1"):
        jobs.continue_video(old.id, limit=1)
    assert jobs.count(statuses=[Status.QUEUED]) == 1


def test_the_frame_is_a_png(old: Job) -> None:
    with Image.open(io.BytesIO(last_frame(old))) as image:
        assert (image.format, image.size) == ("PNG", (640, 640))


def test_one_whose_earlier_video_is_gone_says_that_it_is_the_new_part_alone(
    jobs: Jobs, old: Job, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The video is made all the same; a retry of the job says it, too."""

    def produce(request: VideoRequest, *, out: Path, before: Path | None, **_: Any) -> VideoResult:
        assert before is None
        return VideoResult(Path(shutil.copy(film, out)), 640, 640, 72, 12, {})

    monkeypatch.setattr("fanslymotion.pipeline.produce.produce", produce)

    def warnings(job: Job) -> tuple[str, ...]:
        row = transitions.claim(jobs.store, "w", time.time())
        assert row is not None
        run = attempt.make_produce(jobs.store, None)
        attempt.process_video_generation(jobs.store, row, "w", run, lambda _: None)
        done = jobs.get(job.id)
        assert done.status is Status.DONE
        return done.warnings

    made = jobs.continue_video(old.id)
    before = video_before(made)
    assert before is not None
    before.unlink()
    jobs.cancel(made.id)
    assert attempt.EARLIER_GONE in warnings(jobs.retry(made.id))
    assert warnings(jobs.continue_video(old.id, joined=False)) == ()
