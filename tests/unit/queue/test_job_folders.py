"""Who owns a job's folder is said by a row: never by the time of a file, by a clock, or by luck."""

import os
import re
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput, StoreError
from fanslymotion.pipeline.media.exports.make import LOCK
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.request import VideoResult
from fanslymotion.queue import job_folders
from fanslymotion.queue.job_folders import (
    ABANDONED_SECONDS,
    AbandonedFolders,
    FolderReservation,
    collect_garbage,
    new_id,
)
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.recovery import acquire_lock, is_locked, lock_path, remove_lock
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import VIDEO_NAME, WORK_NAME, photo_of
from fanslymotion.queue.submit import NewJob
from fanslymotion.settings import Settings
from filelock import FileLock, Timeout

from .conftest import REQUEST

pytestmark = pytest.mark.both_databases

OLD = (10.0, 10.0)
"""Access and modification: 1970, older than every limit that a clock could be compared with."""

KILLED = """
import os, sys, pathlib
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue import jobs, submit
from fanslymotion.settings import Settings
submit.Submitter._insert_all = lambda *_: os._exit(9)
jobs.Jobs(Settings.from_env()).submit_all([(pathlib.Path(sys.argv[1]), "a")] * 2, VideoRequest())
"""


def rows(jobs: Jobs) -> list[str]:
    return [row.id for row in jobs.store.tables.Folder.select()]


def clean_up(jobs: Jobs, now: float = 0.0) -> None:
    """What a worker does when it starts."""
    collect_garbage(jobs.store)
    AbandonedFolders(jobs.store).remove(now)


@pytest.fixture
def killed(jobs: Jobs, settings: Settings, photo: Path) -> list[Path]:
    """The folders of a submit that was killed just before its jobs were written."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(photo)], env=settings.environ())
    assert done.returncode == 9
    return list(settings.jobs_dir.iterdir())


def test_a_submit_leaves_its_jobs_and_nothing_else(jobs: Jobs, photo: Path, settings: Settings) -> None:
    jobs.submit_all([(photo, "a"), (photo, "b")], REQUEST)
    assert rows(jobs) == []
    assert list((settings.home / "workers").iterdir()) == []


def test_ids_are_no_numbers_to_a_shell() -> None:
    """PowerShell makes 12e4 of a word 120000, so that `jobs show 12e4…` would ask for another job."""
    ids = [new_id() for _ in range(1000)]
    assert all(re.fullmatch("[a-f][0-9a-f]{11}", one) for one in ids)
    assert len(set(ids)) == 1000


def test_a_refused_submit_leaves_nothing(jobs: Jobs, photo: Path, settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")
    with pytest.raises(BadInput):
        jobs.submit_all([(photo, "a"), (broken, "b")], REQUEST)
    assert rows(jobs) == []
    assert list(settings.jobs_dir.iterdir()) == []
    assert list((settings.home / "workers").iterdir()) == []


def test_what_a_killed_submit_left_goes(jobs: Jobs, killed: list[Path], settings: Settings) -> None:
    assert len(killed) == 2
    assert sorted(rows(jobs)) == sorted(path.name for path in killed)
    clean_up(jobs)
    assert rows(jobs) == []
    assert not any(path.exists() for path in killed)
    assert list((settings.home / "workers").iterdir()) == []


def test_a_batch_that_is_being_handed_in_is_left_alone_whatever_the_time(
    jobs: Jobs, photo: Path, settings: Settings
) -> None:
    """Its folders look as old as can be; a worker starts meanwhile."""
    with FolderReservation(jobs.store, 2) as filling:
        for folder in filling.folders:
            folder.mkdir(parents=True)
            os.utime(folder, OLD)
        clean_up(jobs, 1e12)
        assert all(folder.is_dir() for folder in filling.folders)
        rows = [NewJob(job_id, "a", REQUEST, NormalisedPhoto(photo), "", ()) for job_id in filling.ids]
        filling.accept(lambda: [jobs._submitter._insert(row, "") for row in rows])
    clean_up(jobs, 2e12)
    assert [jobs.get(job_id).folder.is_dir() for job_id in filling.ids] == [True, True]


def elsewhere(jobs: Jobs) -> None:
    """All submits under way are another machine's, whose locks are not seen here."""
    jobs.store.tables.Folder.update(machine="elsewhere", lock="/nowhere").execute()


def test_another_machines_submit_is_given_up_after_long_on_the_own_clock(jobs: Jobs, killed: list[Path]) -> None:
    elsewhere(jobs)
    leftovers = AbandonedFolders(jobs.store)
    leftovers.remove(5.0)
    leftovers.remove(ABANDONED_SECONDS + 4.0)
    assert all(path.is_dir() for path in killed)
    leftovers.remove(ABANDONED_SECONDS + 5.0)
    assert not any(path.exists() for path in killed)


def test_a_submit_that_was_given_up_wrongly_ends_in_words_not_in_a_ghost(jobs: Jobs, settings: Settings) -> None:
    def hand_in() -> None:
        with FolderReservation(jobs.store, 2) as filling:
            filling.folders[1].mkdir(parents=True)
            give_up()
            filling.accept(lambda: pytest.fail("no job may come of it"))

    def give_up() -> None:
        elsewhere(jobs)
        leftovers = AbandonedFolders(jobs.store)
        leftovers.remove(0.0)
        leftovers.remove(ABANDONED_SECONDS)

    with pytest.raises(StoreError, match="submit the photos again"):
        hand_in()
    assert jobs.list() == []
    assert list(settings.jobs_dir.iterdir()) == []
    assert rows(jobs) == []


def test_of_a_submit_and_a_cleaner_at_one_moment_exactly_one_gets_the_folders(jobs: Jobs, settings: Settings) -> None:
    """The cleaner wants them while the jobs are written but not committed yet: it waits, and finds that it has lost."""
    cleaner = threading.Thread(target=lambda: (AbandonedFolders(jobs.store).remove(0.0), jobs.close()))
    asked = threading.Event()
    with FolderReservation(jobs.store, 1) as filling:
        filling.folders[0].mkdir(parents=True)
        jobs.store.tables.Folder.update(lock="/nowhere").execute()  # it seems abandoned

        def insert() -> None:
            jobs._submitter._insert(NewJob(filling.ids[0], "a", REQUEST, NormalisedPhoto(Path()), "", ()), "")
            cleaner.start()
            asked.wait(0.5)  # it cannot say that it waits: time to begin waiting changes nothing in the end

        filling.accept(insert)
    cleaner.join()
    assert jobs.get(filling.ids[0]).folder.is_dir()
    assert rows(jobs) == []


def test_a_deletion_that_is_killed_half_way_is_completed(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.submit(photo, REQUEST)
    jobs.cancel(job.id)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(job_folders, "remove_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            jobs.delete(job.id)
    assert job.folder.is_dir()
    assert jobs.list() == []
    clean_up(jobs)
    assert not job.folder.exists()
    assert rows(jobs) == []


def test_a_job_that_is_listed_again_keeps_its_folder(jobs: Jobs, photo: Path) -> None:
    """Its row was brought back from a list that was lost, beside the row of its folder's removal."""
    job = jobs.submit(photo, REQUEST)
    job_folders.schedule_removal(jobs.store, job.id)
    clean_up(jobs)
    assert photo_of(job.folder).is_file()


def test_only_what_rows_give_up_is_tidied(jobs: Jobs, settings: Settings, photo: Path) -> None:
    waiting, ended = (jobs.submit(photo, REQUEST) for _ in range(2))
    for job in (waiting, ended):
        (job.folder / WORK_NAME).mkdir()
    transitions.ask_cancel(jobs.store, ended.id, 1.0)
    unknown = settings.jobs_dir / ("0" * 12)
    unknown.mkdir()
    dead, alive = (lock_path(settings.home, name) for name in ("dead", "alive"))
    dead.touch()
    lock = acquire_lock(alive)
    for path in (unknown, dead, alive, waiting.folder):
        os.utime(path, OLD)
    clean_up(jobs)
    assert (waiting.folder / WORK_NAME).is_dir()
    assert photo_of(waiting.folder).is_file()
    assert not (ended.folder / WORK_NAME).exists()
    assert unknown.is_dir(), "perhaps a job's of a list that was lost"
    assert not dead.exists()
    assert is_locked(alive)
    lock.release()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_video_that_came_before_its_cancel_does_not_stay(jobs: Jobs, photo: Path) -> None:
    """The worker was killed between the rename of its video and the COMMIT of `done`; then the job was cancelled."""
    cancelled, done = jobs.submit(photo, REQUEST), jobs.submit(photo, REQUEST)
    for job in (cancelled, done):
        transitions.claim(jobs.store, "w", 1.0)
        (job.folder / VIDEO_NAME).write_bytes(b"video")
    jobs.cancel(cancelled.id)
    transitions.mark_lost(jobs.store, jobs.store.tables.Job.get_by_id(cancelled.id), "", 2.0)
    assert transitions.finish(jobs.store, done.id, "w", VideoResult(done.folder / VIDEO_NAME, 8, 8, 1, 1, {}), 2.0)
    collect_garbage(jobs.store)
    assert [(job.folder / VIDEO_NAME).exists() for job in (cancelled, done)] == [False, True]


def test_a_lock_file_that_is_removed_at_a_start_costs_no_lock(tmp_path: Path) -> None:
    """A worker has opened its new lock file; before it has locked it, a cleaner finds it unheld."""
    path = tmp_path / "w.lock"
    stop, broken = threading.Event(), []

    def clean() -> None:
        while not stop.is_set():
            remove_lock(path)

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    for _ in range(60):
        lock = acquire_lock(path)
        if not is_locked(path):
            broken.append(path)
        lock.release()
    stop.set()
    cleaner.join()
    assert broken == []


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_lock_file_is_not_anothers_when_it_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker wants the lock at the very moment when the cleaner removes the file."""
    path, remove, got = tmp_path / "w.lock", Path.unlink, []

    def wanted_meanwhile(file: Path, **words: bool) -> None:
        with suppress(Timeout):
            got.append(FileLock(file, timeout=0, thread_local=False).acquire())
        remove(file, **words)

    path.touch()
    monkeypatch.setattr(Path, "unlink", wanted_meanwhile)
    remove_lock(path)
    monkeypatch.undo()
    assert got == [] or is_locked(path)
    lock = acquire_lock(path)
    assert is_locked(path)
    lock.release()


def test_half_made_exports_of_a_killed_page_are_removed(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)
    assert transitions.claim(jobs.store, "w", 1.0)
    (job.folder / VIDEO_NAME).write_bytes(b"video")
    assert transitions.finish(jobs.store, job.id, "w", VideoResult(job.folder / VIDEO_NAME, 8, 8, 1, 1, {}), 2.0)
    (job.folder / ".export.0123abcd.part").write_bytes(b"half")
    with FileLock(job.folder / LOCK):
        clean_up(jobs)
        assert (job.folder / ".export.0123abcd.part").is_file(), "one is being made"
    clean_up(jobs)
    assert not list(job.folder.glob("*.part"))
    assert (job.folder / VIDEO_NAME).is_file()
