"""Really damaged job lists, of every kind: no accepted job is lost, no deleted one comes back, the queue goes on."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoResult
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.damage import find_damage
from fanslymotion.queue.store.import_orphans import import_orphans
from fanslymotion.queue.store.rows import VIDEO_NAME
from fanslymotion.queue.types import Job, Status
from fanslymotion.settings import Settings
from fanslymotion.tests.damages import KINDS
from fanslymotion.tests.soak import soak

from ..conftest import REQUEST

WAITING, ENDED = 14, 12


@dataclass
class Full:
    """A data folder with jobs of every status, and what they were."""

    settings: Settings
    jobs: dict[str, Job]
    deleted: list[str]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, photo: Path) -> Full:
    settings = Settings.local(tmp_path_factory.mktemp("full"), models_dir)
    jobs = Jobs(settings)
    ended = jobs.submit_all([(photo, f"ended {n}") for n in range(ENDED)], REQUEST, owner="ben")
    for n, job in enumerate(ended):
        transitions.claim(jobs.store, "w", 1.0)
        if n % 3 == 0:
            video = job.folder / VIDEO_NAME
            video.write_bytes(b"a video")
            transitions.finish(jobs.store, job.id, "w", VideoResult(video, 64, 48, 6, 12, {}), 2.0 + n)
        elif n % 3 == 1:
            transitions.fail(jobs.store, job.id, "w", "it did not work", 2.0 + n)
        else:
            jobs.cancel(job.id)
            transitions.end_cancelled(jobs.store, job.id, "w", 2.0 + n)
    deleted = [ended[0].id, ended[1].id]
    for job_id in deleted:
        jobs.delete(job_id)
    waiting = jobs.submit_all([(photo, f"waiting {n}") for n in range(WAITING)], REQUEST, owner="anna")
    assert transitions.claim(jobs.store, "w", 3.0) is not None
    known = {job.id: job for job in jobs.list(limit=1000)}
    assert {known[job.id].status for job in waiting} == {Status.QUEUED, Status.RUNNING}
    jobs.close()
    return Full(settings, known, deleted)


@pytest.fixture
def mine(full: Full, tmp_path: Path) -> Full:
    """A copy of it."""
    home = tmp_path / "home"
    shutil.copytree(full.settings.home, home)
    return Full(Settings.local(home, full.settings.models), full.jobs, full.deleted)


@pytest.fixture
def opened() -> Iterator[Callable[[Settings], Jobs]]:
    made = []

    def open_jobs(settings: Settings) -> Jobs:
        made.append(Jobs(settings))
        return made[-1]

    yield open_jobs
    for jobs in made:
        jobs.close()


def use(jobs: Jobs, photo: Path) -> Job:
    """What a page and a worker do; each may be told once that the list was damaged, and then it works."""
    calls = (
        lambda: jobs.list(limit=1000),
        lambda: jobs.running(),
        lambda: jobs.count(statuses=[Status.QUEUED]),
        lambda: [jobs.events_since(job.id) for job in jobs.list(limit=1000)],
        lambda: jobs.workers(),
        lambda: jobs.store.examine(),
    )
    for call in calls:
        with suppress(StoreError):
            call()
        call()
    return jobs.submit(photo, REQUEST, name="new")


@pytest.mark.parametrize("kind", ["row_missing", "index_entry_missing", "status_altered", "text_undecodable"])
def test_what_a_quick_look_does_not_find_is_found(mine: Full, kind: str) -> None:
    """`PRAGMA quick_check` does not compare indexes with their tables; no PRAGMA knows what a status may be."""
    path = mine.settings.home / "jobs.db"
    assert find_damage(path, mine.settings.jobs_dir) == ""
    KINDS[kind](path, Random(1))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
    assert find_damage(path, mine.settings.jobs_dir)


@pytest.mark.parametrize("seed", [0, *soak(1)])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_and_nothing_revived(mine: Full, opened, photo: Path, kind: str, seed: int) -> None:
    path = mine.settings.home / "jobs.db"
    KINDS[kind](path, Random(seed))
    harmless = not find_damage(path, mine.settings.jobs_dir)
    jobs = opened(mine.settings)
    new = use(jobs, photo)
    import_orphans(jobs.store)

    kept = list(mine.settings.home.glob("jobs.damaged-*"))
    assert len(kept) == (0 if harmless else 1)
    assert bool(jobs.notice) == bool(kept)
    assert jobs.store.check() == "ok"
    found = {job.id: job for job in jobs.list(limit=1000)}
    for job_id, before in mine.jobs.items():
        if before.status is Status.DONE and job_id not in found:
            assert (mine.settings.job_dir(job_id) / VIDEO_NAME).exists(), (
                "`import_orphans` reads it, where it is a video"
            )
            continue
        after = found[job_id]
        assert (after.owner, after.request) == (before.owner, before.request) or harmless
        assert after.revision > before.revision or harmless, "an open page drops what is older than it shows"
        waited = before.status in (Status.QUEUED, Status.RUNNING)
        expected = Status.QUEUED if waited else before.status
        unknown = after.status is Status.FAILED and "not known" in after.error
        assert unknown or after.status is expected or (harmless and after.status is before.status)
    assert set(found) <= {*mine.jobs, new.id}, "what was deleted stays away"

    claimed = []
    while (row := transitions.claim(jobs.store, "w2", 9.0)) is not None:
        claimed.append(row.id)
    assert set(claimed) == {job.id for job in found.values() if job.status is Status.QUEUED}
    assert new.id in claimed
