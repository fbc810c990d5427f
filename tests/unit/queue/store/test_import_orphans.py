"""Finished videos come back after the job list is lost; deleted ones do not."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.media.mp4 import settings_comment
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue import job_folders
from fanslymotion.queue.job_folders import AbandonedFolders, collect_garbage
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import records, transitions
from fanslymotion.queue.store.import_orphans import import_orphans, keep_records
from fanslymotion.queue.store.records import read_record
from fanslymotion.queue.store.rows import GONE_NAME, RECORD_NAME, VIDEO_NAME
from fanslymotion.queue.types import Job
from fanslymotion.queue.worker.attempt import make_produce, process_video_generation
from fanslymotion.settings import Settings
from fanslymotion.tests.kill_points import each_point
from fanslymotion.tests.wine import needs_links

from ..conftest import REQUEST


@pytest.fixture
def done(jobs: Jobs, photo: Path) -> Callable[[str], Job]:
    """A finished job with a small video that says how it was made."""

    def make(name: str) -> Job:
        job = jobs.submit(photo, REQUEST, name=name, owner="ben")
        transitions.claim(jobs.store, "w", 1.0)
        video = job.folder / VIDEO_NAME
        about = {"request": REQUEST.to_json(), "job": {"job": job.id, "name": name}}
        source = ["-f", "lavfi", "-i", "color=red:s=64x48:r=12:d=0.5"]
        comment = f"comment={settings_comment(about)}"
        command = [ffmpeg_path(), "-v", "error", *source, "-metadata", comment, str(video)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        transitions.finish(jobs.store, job.id, "w", VideoResult(video, 64, 48, 6, 12, {}), 2.0)
        return jobs.get(job.id)

    return make


def lose_the_list(jobs: Jobs) -> None:
    for table in (jobs.store.tables.Job, jobs.store.tables.Event):
        table.delete().execute()


def test_videos_come_back_with_name_settings_and_size(jobs: Jobs, done) -> None:
    before = jobs.set_favourite(done("мой снимок 😀.jpg").id, True)
    assert import_orphans(jobs.store) == 0, "it is in the list"
    lose_the_list(jobs)
    assert import_orphans(jobs.store) == 1
    after = jobs.get(before.id)
    assert (after.name, after.owner, after.request) == (before.name, "ben", REQUEST)
    assert (after.width, after.height, after.frames, after.fps) == (64, 48, 6, 12)
    assert after.video == before.video
    assert after.revision > before.revision, "an open page drops what is older than it shows"
    assert after.finished == pytest.approx(os.stat(before.video).st_mtime)
    assert import_orphans(jobs.store) == 0
    assert [event.text for event in jobs.events_since(after.id) if event.kind == "status"] == ["done"]


@pytest.mark.soak
def test_the_photos_name_is_in_no_video_and_the_video_comes_back(jobs: Jobs, photo: Path) -> None:
    """Videos are published, and a photo's name may say who is on it and where."""
    request = VideoRequest(resolution="480p", seconds=6, quality="sampled", steps=1, model="mini", seed=3)
    job = jobs.submit(photo, request, name="annabella-hotel-berlin.jpg")
    row = transitions.claim(jobs.store, "w", 1.0)
    process_video_generation(jobs.store, row, "w", make_produce(jobs.store, ModelCache()), lambda _: None)
    video = jobs.get(job.id).video
    assert video is not None
    assert not re.search(rb"annabella|hotel|berlin", video.read_bytes(), re.IGNORECASE)
    lose_the_list(jobs)
    (job.folder / RECORD_NAME).unlink()
    assert import_orphans(jobs.store) == 1
    assert jobs.get(job.id).name == f"video-{job.id}"


@needs_links
def test_what_is_not_ours_or_not_finished_stays_out(jobs: Jobs, done, settings: Settings, tmp_path: Path) -> None:
    foreign, renamed, linked = (done(name) for name in "abc")
    waiting = jobs.submit(foreign.folder / "photo.png", REQUEST)
    lose_the_list(jobs)
    (foreign.folder / VIDEO_NAME).write_bytes(b"no video at all")
    renamed.folder.rename(renamed.folder.with_name("holiday"))
    linked.folder.rename(tmp_path / "elsewhere")
    linked.folder.symlink_to(tmp_path / "elsewhere")
    assert import_orphans(jobs.store) == 0
    assert waiting.folder.is_dir()


@pytest.fixture
def player(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """It holds every video open, as on Windows: none can be removed until this is undone."""
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == VIDEO_NAME:
            raise PermissionError(13, "it is being used by another process", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        yield patched


def test_what_was_deleted_does_not_come_back(jobs: Jobs, done, player: pytest.MonkeyPatch) -> None:
    job = done("a")
    jobs.delete(job.id)
    assert sorted(path.name for path in job.folder.iterdir()) == [GONE_NAME, VIDEO_NAME]
    assert import_orphans(jobs.store) == 0
    lose_the_list(jobs)
    jobs.store.tables.Folder.delete().execute()
    assert import_orphans(jobs.store) == 0, "the mark tells it when the list does not"
    player.undo()
    collect_garbage(jobs.store)
    assert not job.folder.exists()


def test_what_a_deletion_leaves_is_removed_later(jobs: Jobs, done, player: pytest.MonkeyPatch) -> None:
    job = done("a")
    jobs.delete(job.id)
    player.undo()
    AbandonedFolders(jobs.store).remove(0.0)
    assert not job.folder.exists()
    assert not jobs.store.tables.Folder.select().exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_a_deletion_killed_at_any_call_is_whole_or_not_begun(
    jobs: Jobs, done, settings: Settings, tmp_path: Path
) -> None:
    """Where the list is lost as well afterwards."""
    job = done("a")
    jobs.close()

    def copy(number: int) -> Path:
        return Path(shutil.copytree(settings.home, tmp_path / f"home {number}"))

    def delete(home: Path) -> None:
        Jobs(Settings.local(home, settings.models)).delete(job.id)

    listed = []
    for home in each_point(copy, delete):
        again = Jobs(Settings.local(home, settings.models))
        listed.append(again.count() == 1)
        if not listed[-1]:
            again.store.tables.Folder.delete().execute()
            assert import_orphans(again.store) == 0
        again.close()
        shutil.rmtree(home)
    assert listed == sorted(listed, reverse=True)
    assert {True, False} == set(listed)


def test_the_mark_is_on_the_disk_before_the_row_goes(jobs: Jobs, done, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut takes what was not synced."""
    job, synced, then = done("a"), [], []
    fsync, schedule_removal = os.fsync, job_folders.schedule_removal
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino) or fsync(fd))
    monkeypatch.setattr(
        job_folders,
        "schedule_removal",
        lambda *a: then.append((mark_and_folder(job), [*synced])) or schedule_removal(*a),
    )

    def mark_and_folder(job: Job) -> set[int]:
        return {(job.folder / GONE_NAME).stat().st_ino, job.folder.stat().st_ino}

    jobs.delete(job.id)
    ((wanted, before),) = then
    assert wanted <= set(before) or sys.platform == "win32"


def test_a_deletion_that_cannot_be_marked_is_refused(jobs: Jobs, done, monkeypatch: pytest.MonkeyPatch) -> None:
    job = done("a")
    with monkeypatch.context() as patched:
        patched.setattr(records, "write_whole", lambda *_: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
        with pytest.raises(StoreError, match="cannot be deleted: Read-only file system; make"):
            jobs.delete(job.id)
    assert jobs.get(job.id).video is not None
    assert sorted(path.name for path in job.folder.iterdir()) == sorted(["photo.png", RECORD_NAME, VIDEO_NAME])


@pytest.mark.parametrize("owner", ["ben", None])
def test_a_video_goes_to_its_owner_or_to_the_machines(jobs: Jobs, done, owner: str | None) -> None:
    """Not to whoever logs in first."""
    job = done("a")
    if owner is None:
        (job.folder / RECORD_NAME).unlink()  # from before there was one
    lose_the_list(jobs)
    import_orphans(jobs.store)
    assert jobs.get(job.id).owner == (owner or "")


def test_folders_of_an_earlier_version_learn_whose_they_are(jobs: Jobs, done) -> None:
    job = done("a")
    (job.folder / RECORD_NAME).unlink()
    assert keep_records(jobs.store) == 1
    assert keep_records(jobs.store) == 0
    record = read_record(job.folder)
    assert record is not None
    assert (record.name, record.owner, record.request, record.created) == ("a", "ben", REQUEST, job.created)


def test_what_an_older_version_left_of_a_deleted_job_goes(jobs: Jobs, done) -> None:
    """It wrote no row for the folder, only a mark into it."""
    job = done("a")
    lose_the_list(jobs)
    (job.folder / GONE_NAME).touch()
    collect_garbage(jobs.store)
    assert not job.folder.exists()


def test_a_video_of_a_deleted_job_is_not_taken_even_without_its_mark(jobs: Jobs, done, player) -> None:
    """Somebody has removed it; the row is still there."""
    job = done("a")
    jobs.delete(job.id)
    (job.folder / GONE_NAME).unlink()
    assert import_orphans(jobs.store) == 0


def test_tidying_up_spares_what_can_come_back(jobs: Jobs, done) -> None:
    job = done("a")
    lose_the_list(jobs)
    old = 10.0
    os.utime(job.folder, (old, old))
    collect_garbage(jobs.store)
    assert import_orphans(jobs.store) == 1
