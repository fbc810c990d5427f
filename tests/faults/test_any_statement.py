"""The connection is lost at any one statement of any change: rows, files and what the caller was told agree."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.job_folders import AbandonedFolders, collect_garbage
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.recovery import Sweeper
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import VIDEO_NAME, photo_of, to_job
from fanslymotion.queue.types import Job, Status
from fanslymotion.queue.worker import attempt
from fanslymotion.tests.soak import soak

DATABASES = ["sqlite", *soak("postgresql")]
"""The first has no connection that a network could lose; a disk that fails is the same to the store."""

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("settings", DATABASES, indirect=True)]

REQUEST = VideoRequest(seed=1)
EVERY = pytest.param(1000, marks=pytest.mark.soak, id="every")
"""For `others`: more than any change has."""


class Lost:
    """Loses the connection at statement number `at` (1 is the first, 0 none), before or after it was carried out."""

    def __init__(self, db: Any, at: int, after: bool) -> None:
        self._db, self._at, self._after = db, at, after
        self.statements: list[str] = []

    def cursor(self, *words: Any) -> Any:
        return _Cursor(type(self._db).cursor(self._db, *words), self)

    def execute(self, cursor: Any, *words: Any) -> Any:
        self.statements.append(words[0])
        if len(self.statements) != self._at:
            return cursor.execute(*words)
        if self._after:
            cursor.execute(*words)
        connection = cursor.connection
        cursor.close()  # an unread answer would keep SQLite's connection, and its lock, alive
        connection.close()
        if not isinstance(cursor, sqlite3.Cursor):
            raise psycopg.OperationalError("the connection is lost")
        error: Any = sqlite3.OperationalError("the connection is lost")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR  # as SQLite itself says it: the file is not to blame
        raise error


class _Cursor:
    def __init__(self, cursor: Any, lost: Lost) -> None:
        self._cursor, self._lost = cursor, lost

    def execute(self, *words: Any) -> Any:
        return self._lost.execute(self._cursor, *words)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


@contextmanager
def losing(jobs: Jobs, at: int, after: bool) -> Iterator[Lost]:
    lost = Lost(jobs.store.db, at, after)
    jobs.store.db.cursor = lost.cursor
    try:
        yield lost
    finally:
        del jobs.store.db.cursor


class Stage:
    """One change of the queue: what is there before, the change itself, and what must be true after it."""

    def __init__(self, jobs: Jobs, photo: Path) -> None:
        self.jobs, self.photo = jobs, photo

    def submit(self) -> Job:
        return self.jobs.submit(self.photo, REQUEST)

    def running(self) -> Any:
        self.submit()
        return transitions.claim(self.jobs.store, "w", 1.0)

    def failed(self) -> Job:
        row = self.running()
        transitions.fail(self.jobs.store, row.id, "w", "broken", 2.0)
        return self.jobs.get(row.id)


Change = tuple[Callable[[], object], Callable[[bool], bool]]
"""The change; and whether all is well after it, told whether it was called a success."""


def submitting(stage: Stage) -> Change:
    jobs = stage.jobs
    return (
        lambda: jobs.submit_all([(stage.photo, "a"), (stage.photo, "b")], REQUEST),
        lambda said: jobs.count() == 2 or (not said and jobs.count() == 0),
    )


def retrying(stage: Stage) -> Change:
    jobs, old = stage.jobs, stage.failed()
    return lambda: jobs.retry(old.id), lambda said: jobs.count() == 2 or (not said and jobs.count() == 1)


def deleting(stage: Stage) -> Change:
    jobs, old = stage.jobs, stage.failed()
    return lambda: jobs.delete(old.id), lambda said: jobs.count() == 0 or not said


def cancelling_a_waiting_one(stage: Stage) -> Change:
    jobs, job = stage.jobs, stage.submit()
    return lambda: jobs.cancel(job.id), lambda said: jobs.get(job.id).status is Status.CANCELLED or not said


def cancelling_a_running_one(stage: Stage) -> Change:
    jobs, row = stage.jobs, stage.running()
    return lambda: jobs.cancel(row.id), lambda said: jobs.get(row.id).cancelling or not said


def claiming(stage: Stage) -> Change:
    jobs, job = stage.jobs, stage.submit()

    def taken_up(_: bool) -> bool:
        row = transitions.running_job(jobs.store, "w") or transitions.claim(jobs.store, "w", 2.0)
        return row is not None and (row.id, row.attempt, row.status) == (job.id, 1, Status.RUNNING)

    return lambda: transitions.claim(jobs.store, "w", 1.0), taken_up


def finishing(stage: Stage) -> Change:
    jobs, row = stage.jobs, stage.running()
    job = to_job(row, jobs.settings, 0)
    (job.folder / "draft.mp4").write_bytes(b"video")
    result = VideoResult(job.folder / "draft.mp4", 848, 480, 72, 12, {})
    return (
        lambda: attempt._finish(jobs.store, job, "w", result),
        lambda said: said and jobs.get(job.id).status is Status.DONE and (job.folder / VIDEO_NAME).is_file(),
    )


def failing(stage: Stage) -> Change:
    jobs, row = stage.jobs, stage.running()
    return (
        lambda: attempt._retry_store(lambda: transitions.fail(jobs.store, row.id, "w", "broken", 2.0)),
        lambda said: said and jobs.get(row.id).status is Status.FAILED,
    )


def ending_a_cancelled_one(stage: Stage) -> Change:
    jobs, row = stage.jobs, stage.running()
    transitions.ask_cancel(jobs.store, row.id, 2.0)
    return (
        lambda: attempt._cancelled(jobs.store, to_job(row, jobs.settings, 0), "w"),
        lambda said: said and jobs.get(row.id).status is Status.CANCELLED,
    )


def handing_back(stage: Stage) -> Change:
    jobs, row = stage.jobs, stage.running()
    return (
        lambda: attempt._retry_store(lambda: transitions.hand_back(jobs.store, row.id, "w", 2.0)),
        lambda said: said and (jobs.get(row.id).status, jobs.get(row.id).attempt) == (Status.QUEUED, 1),
    )


def losing_a_worker(stage: Stage) -> Change:
    jobs, row = stage.jobs, stage.running()
    sweeper = Sweeper(jobs.store)
    sweeper.sweep(0.0, 2.0)

    def lost_once(_: bool) -> bool:
        sweeper.sweep(1e6, 2.0)
        now = jobs.store.tables.Job.get_by_id(row.id)
        return (now.status, now.attempt, now.losses) == (Status.QUEUED, 2, 1)

    return lambda: sweeper.sweep(1e6, 2.0), lost_once


def moving(stage: Stage) -> Change:
    jobs, first, second = stage.jobs, stage.submit(), stage.submit()
    return (
        lambda: jobs.move(second.id, 1),
        lambda said: jobs.get(second.id).place == 1 or (not said and jobs.get(first.id).place == 1),
    )


def removing_leftovers(stage: Stage) -> Change:
    jobs, folder = stage.jobs, stage.jobs.settings.job_dir("0" * 12)
    folder.mkdir(parents=True)
    jobs.store.tables.Folder.insert(id=folder.name, state="filling", machine="elsewhere", lock="").execute()
    leftovers = AbandonedFolders(jobs.store)
    leftovers.remove(0.0)

    def removed(_: bool) -> bool:
        leftovers.remove(1e6)
        return not folder.exists()

    return lambda: leftovers.remove(1e6), removed


CHANGES = [
    submitting,
    retrying,
    deleting,
    cancelling_a_waiting_one,
    cancelling_a_running_one,
    claiming,
    finishing,
    failing,
    ending_a_cancelled_one,
    handing_back,
    losing_a_worker,
    moving,
    removing_leftovers,
]


def check_all(jobs: Jobs) -> None:
    """What is true of every queue after a clean-up: no ghost, nothing left over, no job ended twice."""
    collect_garbage(jobs.store)
    AbandonedFolders(jobs.store).remove(0.0)
    listed = jobs.list()
    folders = jobs.settings.jobs_dir
    on_disk = {path.name for path in folders.iterdir()} if folders.exists() else set()
    assert on_disk == {job.id for job in listed}
    assert not jobs.store.tables.Folder.select().exists()
    for job in listed:
        assert photo_of(job.folder).is_file(), "a ghost"
        said = [event.text for event in jobs.events_since(job.id) if event.kind == "status"]
        assert sum(Status(text).final for text in said) == job.status.final, said
        assert said[-1] == job.status


def empty(jobs: Jobs) -> None:
    tables = jobs.store.tables
    for table in (tables.Job, tables.Event):
        table.delete().execute()
    for folder in jobs.settings.jobs_dir.glob("*"):
        jobs.store.tables.Folder.insert(id=folder.name, state="removing", machine="", lock="").execute()
    AbandonedFolders(jobs.store).remove(0.0)


@pytest.mark.parametrize("others", [1, EVERY])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("change", CHANGES, ids=[change.__name__ for change in CHANGES])
def test_a_lost_connection_leaves_one_truth(
    jobs: Jobs,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Stage], Change],
    after: bool,
    others: int,
) -> None:
    """At each COMMIT, and at so many `others` of the change's statements, drawn by chance."""
    monkeypatch.setattr(attempt, "STORE_PAUSE", 0.0)
    undisturbed = run(jobs, photo, change, 0, after)
    commits = [at for at, statement in enumerate(undisturbed, 1) if statement == "COMMIT"]
    between = sorted(set(range(1, len(undisturbed) + 1)) - set(commits))
    by_chance = Random(f"{change.__name__} {after}").sample(between, min(others, len(between)))
    for at in commits + by_chance:
        assert len(run(jobs, photo, change, at, after)) >= at


def run(jobs: Jobs, photo: Path, change: Callable[[Stage], Change], at: int, after: bool) -> list[str]:
    """Return the statements that were made."""
    act, is_well = change(Stage(jobs, photo))
    with losing(jobs, at, after) as lost:
        try:
            act()
            said = True
        except StoreError:
            said = False
    assert said or at, "it fails undisturbed"
    assert is_well(said), f"statement {at}, {'a success' if said else 'an error'}: {lost.statements}"
    check_all(jobs)
    empty(jobs)
    return lost.statements
