"""`fanslymotion jobs export`: a finished job's video in other forms, at a place of the user's own."""

from pathlib import Path

import numpy as np
import pytest
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from PIL import Image


@pytest.fixture
def job(settings: Settings, photo: Path) -> Job:
    """Done, with a real video of 12 frames."""
    jobs = Jobs(settings)
    made = jobs.submit(photo, VideoRequest(seed=1), name="её фото.png")
    assert transitions.claim(jobs.store, "w", 1.0)
    video = made.folder / "video.mp4"
    with VideoEncoder(video, 96, 54, 12) as encoder:
        for number in range(12):
            encoder.write(np.full((54, 96, 3), 20 * number, np.uint8))
    transitions.finish(jobs.store, made.id, "w", VideoResult(video, 96, 54, 12, 12, {}), 2.0)
    return jobs.get(made.id)


def test_a_loop_of_a_part_as_gif(fm, job: Job, here: Path) -> None:
    done = fm("jobs", "export", job.id, "--as", "gif", "--ping-pong", "--from", 2, "--to", 8)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path == here / f"её фото-{job.request.resolution}-6s-frames-2-8-ping-pong.gif"
    with Image.open(path) as image:
        assert image.n_frames == 10  # type: ignore[attr-defined]
    again = fm("jobs", "export", job.id[:6], "--as", "gif", "--ping-pong", "--from", 2, "--to", 8)
    assert Path(again.stdout.strip()).name.endswith("-ping-pong-2.gif"), "never over another file"


def test_a_still_at_a_place_that_is_named(fm, job: Job, here: Path) -> None:
    done = fm("jobs", "export", job.id, "--as", "png", "--frame", 6, "--out", "shots/")
    assert done.returncode == 0, done.stderr
    with Image.open(here / "shots" / f"её фото-{job.request.resolution}-6s-frame-6.png") as image:
        assert np.asarray(image).mean() == pytest.approx(120, abs=3)
    assert fm("jobs", "export", job.id, "--as", "jpg", "--out", "one.jpg").returncode == 0
    assert (here / "one.jpg").is_file()


def test_the_whole_mp4_is_the_video(fm, job: Job, here: Path) -> None:
    assert fm("jobs", "export", job.id, "--as", "mp4", "--out", "a.mp4").returncode == 0
    assert job.video is not None
    assert (here / "a.mp4").read_bytes() == job.video.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "avi"], "cannot be saved as 'avi'"),
        (["--as", "gif", "--to", "13"], "from frame 0 to 13"),
        (["--as", "gif", "--frame", "3"], "no still picture"),
        (["--as", "gif", "--out", "a.mp4"], "ends in .gif"),
        (["--as", "png", "--frame", "-1"], "frame -1 is not there"),
        ([], "--as"),
    ],
)
def test_what_cannot_be_is_refused(fm, job: Job, here: Path, words: list[str], said: str) -> None:
    done = fm("jobs", "export", job.id, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(here.iterdir()) == []


def test_a_job_without_a_video(fm, settings: Settings, photo: Path) -> None:
    waiting = Jobs(settings).submit(photo, VideoRequest(seed=1))
    done = fm("jobs", "export", waiting.id, "--as", "gif")
    assert done.returncode == 1
    assert "this job has no video" in done.stderr


def test_without_ffmpeg_a_sentence(fm, job: Job, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(here / "nothing"))
    done = fm("jobs", "export", job.id, "--as", "webp")
    assert done.returncode == 1
    assert "ffmpeg cannot be started" in done.stderr
    assert "reinstall it" in done.stderr
    assert list(here.iterdir()) == []
