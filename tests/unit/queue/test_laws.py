"""The queue's laws as a state machine: any order of changes, by two workers and an observer that looks too late.

hypothesis makes the order up, and shortens what breaks a law. `Known` is the queue as it should be, a few fields a job;
the real one is `queue.state`, `queue.jobs` and `queue.tasks` on an SQLite file, with real photos and folders.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.fs import commit
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest, VideoResult
from fanslymotion.queue.crash_diagnosis import Death
from fanslymotion.queue.job_folders import collect_garbage
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import VIDEO_NAME, WORK_NAME, to_job
from fanslymotion.queue.types import Status
from fanslymotion.queue.worker import attempt as tasks
from fanslymotion.settings import Settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from PIL import Image

REQUEST = VideoRequest(seed=1)
MOST = 4
"""Jobs in the list: two that wait or run are enough for every race, the ended ones are there to be left alone."""
OUT_OF_MEMORY = Death("FM-WORKER-005", {"free": "0.1 GB"})
BEFORE = {
    Status.QUEUED: {None, Status.RUNNING},
    Status.RUNNING: {Status.QUEUED},
    Status.DONE: {Status.RUNNING},
    Status.FAILED: {Status.RUNNING},
    Status.CANCELLED: {Status.QUEUED, Status.RUNNING},
}
"""Status: those that may come before it."""

pick = st.integers(0, MOST - 1)
workers = st.sampled_from(["a", "b"])


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` sees it."""


@dataclass
class Known:
    """One job as it should be.

    at: how far it is, lost_place: how far it was at its furthest death, as `transitions.place_of` counts.
    floating: others were moved while it ran, so that its old place is none any more.
    """

    status: Status = Status.QUEUED
    worker: str = ""
    attempt: int = 1
    cancel: bool = False
    lease: int = 0
    at: int = -1
    losses: int = 0
    lost_place: int = -1
    floating: bool = False
    final_row: dict[str, Any] = field(default_factory=dict)


class Queue(RuleBasedStateMachine):
    jobs: Jobs
    photo: Path

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.known: dict[str, Known] = {}
        self.line: list[str] = []
        """Jobs that wait or run, in the order of their places."""
        self.names = {"a": "a0", "b": "b0"}
        self.seen: dict[str, Any] = {}
        """Rows of running jobs as the observer last saw them."""
        self.paused = False

    def teardown(self) -> None:
        self.jobs.resume()
        for job_id, job in self.known.items():
            if not job.status.final:
                transitions.ask_cancel(self.jobs.store, job_id, 1e9)
                transitions.end_cancelled(self.jobs.store, job_id, job.worker, 1e9)
            self.jobs.delete(job_id)

    # --- what people do

    @precondition(lambda self: len(self.known) < MOST)
    @rule()
    def submit(self) -> None:
        self._appended(self.jobs.submit(self.photo, REQUEST).id)

    @precondition(lambda self: self.known)
    @rule(which=pick)
    def cancel(self, which: int) -> None:
        job_id, job = self._job(which)
        self.jobs.cancel(job_id)
        if job.status is Status.QUEUED:
            job.cancel = True
            self._ended(job_id, Status.CANCELLED)
        elif job.status is Status.RUNNING:
            job.cancel = True

    @precondition(lambda self: 0 < len(self.known) < MOST)
    @rule(which=pick)
    def retry(self, which: int) -> None:
        job_id, job = self._job(which)
        if job.status.final:
            again = self.jobs.retry(job_id)
            assert again.request == REQUEST
            self._appended(again.id)
        else:
            with pytest.raises(BadInput):
                self.jobs.retry(job_id)

    @precondition(lambda self: self.known)
    @rule(which=pick)
    def delete(self, which: int) -> None:
        job_id, job = self._job(which)
        if job.status.final:
            self.jobs.delete(job_id)
            del self.known[job_id]
        else:
            with pytest.raises(BadInput):
                self.jobs.delete(job_id)

    @precondition(lambda self: self.known)
    @rule(which=pick, place=st.integers(1, MOST + 1))
    def move(self, which: int, place: int) -> None:
        job_id, job = self._job(which)
        if job.status is not Status.QUEUED:
            with pytest.raises(BadInput):
                self.jobs.move(job_id, place)
            return
        self.jobs.move(job_id, place)
        running = [one for one in self.line if self.known[one].status is Status.RUNNING]
        waiting = [one for one in self.line if one not in running and one != job_id]
        waiting.insert(place - 1, job_id)
        self.line = running + waiting
        for one in running:
            self.known[one].floating = True

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.jobs.pause() if paused else self.jobs.resume()
        self.paused = paused

    # --- what workers do

    @rule(who=workers)
    def claim(self, who: str) -> None:
        if self._work_of(who):
            return
        waiting = self._waiting()
        row = transitions.claim(self.jobs.store, self.names[who], self._tick())
        if self.paused or not waiting:
            assert row is None
            return
        assert row.id == waiting[0], "the first in the line is the next"
        job = self.known[row.id]
        job.status, job.worker, job.at = Status.RUNNING, self.names[who], -1
        tasks.begin_work(self._view(row.id))
        assert not (self._folder(row.id) / VIDEO_NAME).exists(), "left by an attempt that died"

    @rule(who=workers, stage=st.sampled_from([Stage.LOADING, Stage.SAMPLING, Stage.SAVING]), step=st.integers(0, 2))
    def progress(self, who: str, stage: Stage, step: int) -> None:
        for job_id in self._work_of(who):
            assert transitions.renew(self.jobs.store, job_id, self.names[who], {"stage": stage, "step": step})
            self.known[job_id].lease += 1
            self.known[job_id].at = transitions.place_of(stage, step)

    @rule(who=workers)
    def beat(self, who: str) -> None:
        for job_id in self._work_of(who):
            assert transitions.renew(self.jobs.store, job_id, self.names[who], {})
            self.known[job_id].lease += 1

    @rule(who=workers, at=st.sampled_from(["whole", "killed before the rename", "killed before the COMMIT"]))
    def finish(self, who: str, at: str) -> None:
        for job_id in self._work_of(who):
            draft = self._folder(job_id) / WORK_NAME / f"draft-{self.now}.mp4"
            draft.write_bytes(b"video")

            def dying(*words: Any) -> None:
                if at == "killed before the COMMIT":
                    commit(*words)
                raise Killed

            with pytest.MonkeyPatch.context() as patched:
                if at != "whole":
                    patched.setattr(tasks, "commit", dying)
                try:
                    tasks._finish(self.jobs.store, self._view(job_id), self.names[who], _result(draft))
                except Killed:
                    self.names[who] += "'"  # the next process has another name; the job is its dead owner's
                    return
            self._ended(job_id, Status.CANCELLED if self.known[job_id].cancel else Status.DONE)

    @rule(who=workers)
    def fail(self, who: str) -> None:
        for job_id in self._work_of(who):
            assert transitions.fail(self.jobs.store, job_id, self.names[who], "broken", self._tick())
            self._ended(job_id, Status.FAILED)

    @rule(who=workers)
    def stop_a_cancelled_one(self, who: str) -> None:
        for job_id in self._work_of(who):
            mine, asked = transitions.lease_status(self.jobs.store, job_id, self.names[who])
            assert (mine, asked) == (True, self.known[job_id].cancel)
            if asked:
                tasks._cancelled(self.jobs.store, self._view(job_id), self.names[who])
                self._ended(job_id, Status.CANCELLED)

    @rule(who=workers)
    def hand_back(self, who: str) -> None:
        for job_id in self._work_of(who):
            assert transitions.hand_back(self.jobs.store, job_id, self.names[who], self._tick())
            if self.known[job_id].cancel:
                self._ended(job_id, Status.CANCELLED)
            else:
                self._returned(job_id)

    @rule(who=workers)
    def die(self, who: str) -> None:
        self.names[who] += "'"

    @precondition(lambda self: self.known)
    @rule(which=pick, stranger=st.sampled_from(["a0", "b0", "stranger", ""]))
    def another_worker_writes(self, which: int, stranger: str) -> None:
        """One that lost the job long ago and does not know, or never had it."""
        job_id, job = self._job(which)
        if job.worker == stranger and job.status is Status.RUNNING:
            return
        store = self.jobs.store
        assert not transitions.renew(store, job_id, stranger, {"step": 9})
        assert not transitions.finish(store, job_id, stranger, _result(Path("x")), 2.0)
        assert not transitions.fail(store, job_id, stranger, "x", 2.0)
        assert not transitions.end_cancelled(store, job_id, stranger, 2.0)
        assert not transitions.hand_back(store, job_id, stranger, 2.0)
        assert transitions.lease_status(store, job_id, stranger) == (False, False)

    # --- what sweeps do

    @rule()
    def look(self) -> None:
        job = self.jobs.store.tables.Job
        self.seen |= {row.id: row for row in job.select().where(job.status == Status.RUNNING)}

    @precondition(lambda self: self.seen)
    @rule(which=pick, death=st.sampled_from([None, OUT_OF_MEMORY]))
    def lose(self, which: int, death: Death | None) -> None:
        """By what was seen, however long ago that was."""
        row = self.seen[sorted(self.seen)[which % len(self.seen)]]
        got = transitions.mark_lost(self.jobs.store, row, "", self._tick(), death)
        job = self.known.get(row.id)
        now = (job.status, job.worker, job.attempt, job.lease, job.cancel) if job else ()
        if job is None or now != (Status.RUNNING, row.worker, row.attempt, row.lease, row.cancel):
            assert got is None, "the observer's look was too old"
            return
        job.losses = 1 if job.at > job.lost_place else job.losses + 1
        if job.cancel:
            assert got is Status.CANCELLED
            self._ended(row.id, Status.CANCELLED)
        elif job.losses >= (transitions.MAX_MEMORY_LOSSES if death else transitions.MAX_LOSSES):
            assert got is Status.FAILED
            self._ended(row.id, Status.FAILED)
        else:
            assert got is Status.QUEUED
            job.attempt, job.lost_place = job.attempt + 1, max(job.at, job.lost_place)
            self._returned(row.id)

    @rule()
    def clean_up(self) -> None:
        """What a studio does when it starts."""
        collect_garbage(self.jobs.store)
        for job_id, job in self.known.items():
            if job.status is Status.CANCELLED:
                left = {path.name for path in self._folder(job_id).iterdir()}
                assert not left & {VIDEO_NAME, WORK_NAME}, "not even a finished file stays"

    # --- what is true after every change

    @invariant()
    def the_rows_are_as_they_should_be(self) -> None:
        rows = {row.id: row for row in self.jobs.store.tables.Job.select()}
        assert rows.keys() == self.known.keys()
        for job_id, job in self.known.items():
            row = rows[job_id]
            real = (row.status, row.attempt, row.cancel, row.lease)
            assert real == (job.status, job.attempt, job.cancel, job.lease)
            if not job.status.final:
                assert row.worker == job.worker
                assert (row.worker == "") == (row.status == Status.QUEUED)
                assert row.finished is None
                continue
            assert row.finished is not None
            assert bool(row.error) == (job.status is Status.FAILED)
            job.final_row = job.final_row or row.__data__
            assert row.__data__ == job.final_row, "a final status is never left"

    @invariant()
    def events_tell_each_change_once(self) -> None:
        for job_id, job in self.known.items():
            told = [Status(e.text) for e in self.jobs.events_since(job_id) if e.kind == "status"]
            assert told[-1] is job.status
            for before, after in zip([None, *told], told, strict=False):
                assert before in BEFORE[after], told

    @invariant()
    def places_are_a_list(self) -> None:
        waiting = self._waiting()
        assert [job.id for job in self.jobs.list(statuses=[Status.QUEUED])] == waiting
        assert [self.jobs.get(job_id).place for job_id in waiting] == list(range(1, len(waiting) + 1))

    @invariant()
    def folders_follow_rows(self) -> None:
        jobs_dir = self.jobs.settings.jobs_dir
        assert {path.name for path in jobs_dir.glob("*")} == self.known.keys()
        for job_id, job in self.known.items():
            if job.status is Status.DONE:
                assert self._view(job_id).video == self._folder(job_id) / VIDEO_NAME
                assert (self._folder(job_id) / VIDEO_NAME).is_file(), "file and status appear together"
            else:
                assert self._view(job_id).video is None

    # --- help

    def _tick(self) -> float:
        self.now += 1
        return self.now

    def _job(self, which: int) -> tuple[str, Known]:
        job_id = list(self.known)[which % len(self.known)]
        return job_id, self.known[job_id]

    def _work_of(self, who: str) -> list[str]:
        """At most one job: a living worker claims no second one."""
        name = self.names[who]
        return [key for key, job in self.known.items() if job.status is Status.RUNNING and job.worker == name]

    def _waiting(self) -> list[str]:
        return [job_id for job_id in self.line if self.known[job_id].status is Status.QUEUED]

    def _appended(self, job_id: str) -> None:
        self.known[job_id] = Known()
        self.line.append(job_id)

    def _ended(self, job_id: str, status: Status) -> None:
        self.known[job_id].status = status
        self.line.remove(job_id)

    def _returned(self, job_id: str) -> None:
        """It waits again, at its old place; where others were moved meanwhile, only their own order is promised."""
        job = self.known[job_id]
        job.status, job.worker = Status.QUEUED, ""
        if job.floating:
            job.floating = False
            real = [one.id for one in self.jobs.list(statuses=[Status.QUEUED])]
            others = [one for one in self.line if one not in real]
            assert [one for one in real if one != job_id] == [one for one in self._waiting() if one != job_id]
            self.line = others + real

    def _folder(self, job_id: str) -> Path:
        return self.jobs.settings.job_dir(job_id)

    def _view(self, job_id: str) -> Any:
        return to_job(self.jobs.store.tables.Job.get_by_id(job_id), self.jobs.settings, 0)


def _result(path: Path) -> VideoResult:
    return VideoResult(path, 848, 480, 72, 12, {})


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[type[Queue]]:
    home = tmp_path_factory.mktemp("laws")
    photo = home / "photo.png"
    Image.new("RGB", (64, 64)).save(photo)
    jobs = Jobs(Settings.local(home / "data папка", models_dir))
    jobs.store.relax_sync()
    yield type("Machine", (Queue,), {"jobs": jobs, "photo": photo})
    jobs.close()


def check(machine: type[Queue], examples: int, steps: int) -> None:
    found = settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=found)


def test_no_order_of_changes_breaks_a_law(machine: type[Queue]) -> None:
    check(machine, examples=40, steps=40)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_long_order_of_changes_breaks_a_law(machine: type[Queue]) -> None:
    check(machine, examples=2000, steps=80)
