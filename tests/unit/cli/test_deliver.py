"""Where a finished video goes: never over somebody's file by a name of ours, and one that cannot go stops no other."""

from pathlib import Path

import pytest
from fanslymotion.console import DONE, FAILED
from fanslymotion.generate import Target, choose_targets, deliver, follow
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue import state
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.rows import VIDEO_NAME
from fanslymotion.settings import Settings


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"video")
    return path


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def test_two_commands_that_wanted_one_name_get_two(video: Path, here: Path) -> None:
    first, second = (choose_targets([Path("a/photo.jpg")], here, "480p-6s")[0] for _ in range(2))
    assert deliver(video, first) == here / "photo-480p-6s.mp4"
    video.write_bytes(b"other")
    assert deliver(video, second) == here / "photo-480p-6s-2.mp4"
    assert {path.read_bytes() for path in here.iterdir()} == {b"video", b"other"}


def test_a_name_of_the_users_is_taken_exactly(video: Path, here: Path) -> None:
    (target,) = choose_targets([Path("photo.jpg")], here / "clip.mp4", "")
    target.path.write_bytes(b"older")
    assert deliver(video, target).read_bytes() == b"video"


def test_nothing_half_is_left_of_a_copy_that_fails(here: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        deliver(tmp_path / "gone.mp4", Target(here / "clip.mp4", exact=False))
    assert list(here.iterdir()) == []


def test_one_that_cannot_be_delivered_stops_no_other(settings: Settings, photo: Path, here: Path, capsys) -> None:
    """A job that was deleted meanwhile, and a folder that went: the third one's video still comes."""
    jobs, request = Jobs(settings), VideoRequest(seed=1)
    submitted = []
    for name in ("deleted", "nowhere", "here"):
        job = jobs.submit(photo, request, name=name)
        state.claim(jobs.store, "w", 1.0)
        (job.folder / VIDEO_NAME).write_bytes(b"video")
        result = VideoResult(job.folder / VIDEO_NAME, width=848, height=480, frames=72, fps=12, stage_seconds={})
        state.finish(jobs.store, job.id, "w", result, 2.0)
        submitted.append((job, Target((here if name == "here" else here / "no") / f"{name}.mp4", exact=True)))
    jobs.delete(submitted[0][0].id)
    assert follow(jobs, settings, submitted, as_json=False, verbose=False) == FAILED
    assert [path.name for path in here.iterdir()] == ["here.mp4"]
    said = capsys.readouterr()
    assert said.out.strip() == str(here / "here.mp4")
    assert "there is no job" in said.err
    assert "it is safe at" in said.err
    assert follow(jobs, settings, submitted[2:], as_json=False, verbose=False) == DONE
