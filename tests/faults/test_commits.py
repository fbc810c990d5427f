"""A COMMIT whose answer is lost: the caller looks, and files and rows agree, whatever the database has done."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.job_folders import AbandonedFolders, collect_garbage
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import VIDEO_NAME, WORK_NAME, photo_of, to_job
from fanslymotion.queue.types import Status
from fanslymotion.queue.worker.attempt import _finish
from fanslymotion.settings import Settings
from fanslymotion.tests import databases
from fanslymotion.tests.cutter import Cut, Cutter, cutter

pytestmark = pytest.mark.faults

REQUEST = VideoRequest(seed=1)
CUTS = pytest.mark.parametrize("cut", list(Cut))


@pytest.fixture
def cable(settings: Settings, postgresql: str) -> Iterator[Cutter]:
    with cutter(postgresql) as made:
        yield made


@pytest.fixture
def direct(settings: Settings, postgresql: str) -> Iterator[Jobs]:
    """The queue with a sound connection, to look at what is true."""
    made = Jobs(replace(settings, database=databases.new_database(postgresql)))
    yield made
    made.close()


@pytest.fixture
def jobs(direct: Jobs, cable: Cutter) -> Iterator[Jobs]:
    """The same queue through the cable that is cut."""
    made = Jobs(replace(direct.settings, database=cable.address(direct.settings.database)))
    yield made
    made.close()


def agree(jobs: Jobs) -> list[str]:
    """Every job has its photo, every folder its job, and no row of a folder is left over. Returns the jobs' ids."""
    listed = jobs.list()
    assert all(photo_of(job.folder).is_file() for job in listed), "a ghost: a job without photo"
    folders = jobs.settings.jobs_dir
    on_disk = {path.name for path in folders.iterdir()} if folders.exists() else set()
    assert on_disk == {job.id for job in listed}
    assert not jobs.store.tables.Folder.select().exists()
    return sorted(on_disk)


def clean_up(jobs: Jobs) -> None:
    """What the next worker does."""
    collect_garbage(jobs.store)
    AbandonedFolders(jobs.store).remove(0.0)


@CUTS
@pytest.mark.parametrize("commit", [1, 2])
def test_a_submit_is_accepted_or_leaves_nothing(
    jobs: Jobs, direct: Jobs, cable: Cutter, photo: Path, cut: Cut, commit: int
) -> None:
    """Its first commit takes the folders, its second one makes the jobs of them."""
    accepted: list[str] = []
    cable.arm(cut, commit)
    try:
        accepted = [job.id for job in jobs.submit_all([(photo, "a"), (photo, "b")], REQUEST)]
    except StoreError:
        assert (commit, cut) != (2, Cut.AFTER), "it could be looked up"
    assert cable.cuts == 1
    assert cable.done.wait(10)
    clean_up(direct)
    assert agree(direct) == sorted(accepted)


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_a_submit_whose_end_cannot_be_looked_up_now_is_decided_by_its_rows(
    jobs: Jobs, direct: Jobs, cable: Cutter, photo: Path, cut: Cut
) -> None:
    insert = jobs._submitter._insert_all

    def insert_and_lose(*words) -> None:
        insert(*words)
        cable.arm(cut)
        cable.down = True

    jobs._submitter._insert_all = insert_and_lose
    with pytest.raises(StoreError):
        jobs.submit(photo, REQUEST)
    clean_up(direct)
    assert len(agree(direct)) == (cut is Cut.AFTER)


@CUTS
def test_a_deletion_happens_or_leaves_the_job_whole(
    jobs: Jobs, direct: Jobs, cable: Cutter, photo: Path, cut: Cut
) -> None:
    job = direct.submit(photo, REQUEST)
    direct.cancel(job.id)
    cable.arm(cut, 2)  # the first one ends the look at the job
    try:
        jobs.delete(job.id)
        said = True
    except StoreError:
        said = False
    assert cable.cuts == 1
    assert said or cut is not Cut.AFTER, "it could be looked up"
    assert cable.done.wait(10)
    clean_up(direct)
    assert agree(direct) == ([job.id] if cut is Cut.BEFORE else [])


@CUTS
def test_a_finished_video_is_there_and_its_work_folder_is_not(
    jobs: Jobs, direct: Jobs, cable: Cutter, photo: Path, cut: Cut
) -> None:
    job = direct.submit(photo, REQUEST)
    row = transitions.claim(direct.store, "w", 1.0)
    work = job.folder / WORK_NAME
    work.mkdir()
    (work / "draft-1.mp4").write_bytes(b"video")
    result = VideoResult(work / "draft-1.mp4", 848, 480, 72, 12, {})
    cable.arm(cut)
    _finish(jobs.store, to_job(row, jobs.settings, 0), "w", result)
    assert cable.cuts == 1
    assert direct.get(job.id).status is Status.DONE
    assert (job.folder / VIDEO_NAME).read_bytes() == b"video"
    assert not work.exists()
    ends = [event.text for event in direct.events_since(job.id) if event.kind == "status"]
    assert ends == ["queued", "running", "done"]


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_a_claim_whose_answer_was_lost_is_taken_up_by_the_same_worker(
    jobs: Jobs, direct: Jobs, cable: Cutter, photo: Path, cut: Cut
) -> None:
    job = direct.submit(photo, REQUEST)
    cable.arm(cut)
    with pytest.raises(StoreError):
        transitions.claim(jobs.store, "w", 1.0)
    found = transitions.running_job(jobs.store, "w")
    assert (found is not None) == (cut is Cut.AFTER)
    row = found or transitions.claim(jobs.store, "w", 1.0)
    assert row is not None
    assert (row.id, row.attempt) == (job.id, 1)


SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int fails(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 4 || access(getenv("FAIL_WHILE"), F_OK)) return 0;
    path[n] = 0;
    return !strcmp(path + n - 4, "-wal");
}
int fdatasync(int fd) {
    if (fails(fd)) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
int fsync(int fd) {
    if (fails(fd)) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
"""

SUBMIT = """
import os, sys, pathlib
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue import job_folders as folders, jobs, submit
from fanslymotion.settings import Settings
failing, insert = pathlib.Path(os.environ["FAIL_WHILE"]), submit.Submitter._insert_all
def insert_and_fail(*words):
    insert(*words)
    failing.touch()
look = folders.FolderReservation._check_accepted
def look_again(self):
    if sys.argv[2] == "once":
        failing.unlink()
    look(self)
submit.Submitter._insert_all, folders.FolderReservation._check_accepted = insert_and_fail, look_again
try:
    jobs.Jobs(Settings.from_env()).submit(pathlib.Path(sys.argv[1]), VideoRequest())
except StoreError as e:
    print(e)
    os._exit(3)  # as if it were killed: nothing is closed, so the next program reads what stands in the WAL
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler")
@pytest.mark.parametrize("how", ["once", "on and on"])
def test_a_disk_that_does_not_sync_makes_no_ghost(settings: Settings, photo: Path, tmp_path: Path, how: str) -> None:
    """fdatasync fails at SQLite's COMMIT. Its frames stand in the WAL all the same, and are read by who comes next."""
    source, shim = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl"], check=True)
    Jobs(settings).close()
    env = settings.environ() | {"LD_PRELOAD": str(shim), "FAIL_WHILE": str(tmp_path / "failing")}
    done = subprocess.run(
        [sys.executable, "-c", SUBMIT, str(photo), how],
        env=env,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == (0 if how == "once" else 3), done.stderr
    jobs = Jobs(settings)
    clean_up(jobs)
    assert len(agree(jobs)) == 1, "this SQLite reads the frames that it could not sync"
    assert jobs.submit(photo, REQUEST).folder.is_dir()
    jobs.close()
