"""Where a finished video goes: tried before the work, never over another file, and what cannot go is not lost."""

import errno
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from fanslymotion.cli import deliver as module
from fanslymotion.cli.deliver import Target, choose_targets, copy
from fanslymotion.cli.exits import DONE, FAILED
from fanslymotion.cli.generate import follow
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import VIDEO_NAME
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings

from .conftest import command, environ

posix = pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")


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


@pytest.fixture
def done(settings: Settings, photo: Path) -> Job:
    return finished(Jobs(settings), photo, "photo.png")


def finished(jobs: Jobs, photo: Path, name: str) -> Job:
    """A job whose video is made."""
    job = jobs.submit(photo, VideoRequest(seed=1), name=name)
    transitions.claim(jobs.store, "w", 1.0)
    (job.folder / VIDEO_NAME).write_bytes(b"video")
    result = VideoResult(job.folder / VIDEO_NAME, width=848, height=480, frames=72, fps=12, stage_seconds={})
    transitions.finish(jobs.store, job.id, "w", result, 2.0)
    return jobs.get(job.id)


def test_two_commands_that_wanted_one_name_get_two(video: Path, here: Path) -> None:
    first, second = (choose_targets([Path("a/photo.jpg")], here, "480p-6s")[0] for _ in range(2))
    assert copy(video, first) == here / "photo-480p-6s.mp4"
    video.write_bytes(b"other")
    assert copy(video, second) == here / "photo-480p-6s-2.mp4"
    assert {path.read_bytes() for path in here.iterdir()} == {b"video", b"other"}


def test_a_name_of_the_users_is_taken_exactly(video: Path, here: Path) -> None:
    (target,) = choose_targets([Path("photo.jpg")], here / "clip.mp4", "")
    assert list(here.iterdir()) == [], "trying the name leaves nothing"
    target.path.write_bytes(b"older")
    assert choose_targets([Path("photo.jpg")], here / "clip.mp4", "") == [target]
    assert target.path.read_bytes() == b"older", "nor does trying touch what is there"
    assert copy(video, target).read_bytes() == b"video"


def test_nothing_half_is_left_of_a_copy_that_fails(here: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        copy(tmp_path / "gone.mp4", Target(here / "clip.mp4", exact=False))
    assert list(here.iterdir()) == []


def test_a_share_that_refuses_chmod_takes_the_video(done: Job, here: Path, fm, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    def no_sync(_: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    for name in ("chmod", "fchmod", "lchmod", "utime", "chown"):
        monkeypatch.setattr(os, name, refused, raising=False)
    for name in ("copymode", "copystat"):
        monkeypatch.setattr(shutil, name, refused)
    monkeypatch.setattr(os, "fsync", no_sync)
    said = fm("jobs", "save", done.id, "--out", "clip.mp4")
    assert said.returncode == 0, said.stderr
    assert (here / "clip.mp4").read_bytes() == b"video"


@posix
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_delivered_video_has_the_rights_of_any_new_file(video: Path, here: Path, umask: int, mode: int) -> None:
    video.chmod(0o600)
    before = os.umask(umask)
    try:
        path = copy(video, Target(here / "clip.mp4", exact=True))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("name", ["x" * 300 + ".mp4", "ж" * 130 + ".mp4"])
def test_a_name_too_long_is_told_before_the_work(fm, settings: Settings, photo: Path, name: str) -> None:
    said = fm("generate", photo, "--out", name)
    assert said.returncode == 2
    assert "no file can be called so" in said.stderr
    assert "--out" in said.stderr
    assert Jobs(settings).list() == []


def test_a_photos_long_name_is_shortened(video: Path, here: Path) -> None:
    """The photo's own name fits, and with `-480p-6s.mp4` behind it no more."""
    photos = [Path("ж" * 120 + ".jpg"), Path("y" * 250 + ".jpg")]
    targets = choose_targets(photos, here, "480p-6s")
    assert [target.path.name for target in targets] == ["ж" * 100 + "-480p-6s.mp4", "y" * 100 + "-480p-6s.mp4"]
    assert [copy(video, targets[0]).name for _ in range(2)][1] == "ж" * 100 + "-480p-6s-2.mp4"
    assert list(here.glob(".*")) == []


def test_a_full_disk_is_told_before_the_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 5 << 20))
    with pytest.raises(BadInput, match=r"is full \(5 MB free\).*--out"):
        choose_targets([Path("photo.jpg")], here, "480p-6s")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 0))
    assert choose_targets([Path("photo.jpg")], here, "480p-6s"), "some shares do not tell"


def test_a_folder_that_is_gone_is_a_sentence(settings: Settings, photo: Path, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("a folder in use cannot be deleted there")
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f"rmdir {shlex.quote(str(gone))}; exec {shlex.join(command('generate', photo))}"
    ended = subprocess.run(
        ["sh", "-c", line], cwd=gone, env=environ(settings), capture_output=True, encoding="utf-8", errors="replace"
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert "the folder that this command runs in is gone" in ended.stderr
    assert Jobs(settings).list() == []


def test_what_cannot_be_delivered_is_kept_and_goes_with_the_named_command(
    done: Job, settings: Settings, here: Path, fm, capsys
) -> None:
    place = here / "Мои видео"
    target = Target(place / "clip.mp4", exact=True)
    assert follow(Jobs(settings), settings, [(done, target)], as_json=False, verbose=False) == FAILED
    told = capsys.readouterr().err
    assert f"it is safe at {done.video}" in told.replace("\n", "")
    words = shlex.split(told[told.index("fanslymotion jobs save") :].replace("\n", ""))
    assert follow(Jobs(settings), settings, [(done, target)], as_json=True, verbose=False) == FAILED
    answer = json.loads(capsys.readouterr().out)
    assert (answer["video"], answer["undelivered"]) == (None, str(done.video))

    place.mkdir()
    said = fm(*words[1:])
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() == str(target.path)
    assert target.path.read_bytes() == b"video"


def test_saving_by_hand(done: Job, settings: Settings, photo: Path, here: Path, fm) -> None:
    assert fm("jobs", "save", done.id[:6]).stdout.strip() == str(here / "photo-480p-6s.mp4")
    assert fm("jobs", "save", done.id).stdout.strip() == str(here / "photo-480p-6s-2.mp4")
    waiting = Jobs(settings).submit(photo, VideoRequest(seed=1), name="waits")
    said = fm("jobs", "save", waiting.id)
    assert said.returncode == 1
    assert f"job {waiting.id} is queued; only a finished one has a video" in said.stderr


def test_a_copy_that_breaks_off_loses_nothing(done: Job, here: Path, fm, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(module, "commit", full)
        said = fm("jobs", "save", done.id, "--out", "clip.mp4")
    assert said.returncode == 1
    assert "No space left on device" in said.stderr
    assert list(here.iterdir()) == []
    assert done.video is not None
    assert done.video.read_bytes() == b"video"


def test_one_that_cannot_be_delivered_stops_no_other(settings: Settings, photo: Path, here: Path, capsys) -> None:
    """A job that was deleted meanwhile, and a folder that went: the third one's video still comes."""
    jobs, submitted = Jobs(settings), []
    for name in ("deleted", "nowhere", "here"):
        job = finished(jobs, photo, name)
        submitted.append((job, Target((here if name == "here" else here / "no") / f"{name}.mp4", exact=True)))
    jobs.delete(submitted[0][0].id)
    assert follow(jobs, settings, submitted, as_json=False, verbose=False) == FAILED
    assert [path.name for path in here.iterdir()] == ["here.mp4"]
    said = capsys.readouterr()
    assert said.out.strip() == str(here / "here.mp4")
    assert "there is no job" in said.err
    assert "it is safe at" in said.err
    assert follow(jobs, settings, submitted[2:], as_json=False, verbose=False) == DONE


def test_a_colon_in_a_photos_name_is_no_second_stream_of_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows writes `Photo 12:30.mp4` into a stream of `Photo 12`, and gives no such name to a file after."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert choose_targets([Path("Photo 12:30.jpg")], tmp_path, "480p-6s") == [
        Target(tmp_path / "video-480p-6s.mp4", exact=False)
    ]
    with pytest.raises(BadInput, match="cannot be called"):
        choose_targets([Path("photo.jpg")], tmp_path / "a:b.mp4", "480p-6s")
    assert list(tmp_path.iterdir()) == []
