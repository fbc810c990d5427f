"""The queue's laws as a state machine: any order of changes, by two workers and an observer that looks too late.

hypothesis makes the order up, and shortens what breaks a law. `known_queue` is the queue as it should be; the real one
is `queue.store`, `queue.jobs` and `queue.worker` on an SQLite file, with real photos and folders.
"""

from collections.abc import Iterator
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
from fanslymotion.queue.store.rows import VIDEO_NAME, WORK_NAME
from fanslymotion.queue.types import Status
from fanslymotion.queue.worker import attempt as tasks
from fanslymotion.settings import Settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from .known_queue import KnownQueue

REQUEST = VideoRequest(seed=1)
MOST = 5
"""Jobs that wait or run: enough for every race. As many ended ones are there to be left alone."""
OUT_OF_MEMORY = Death("FM-WORKER-005", {"free": "0.1 GB"})
BEFORE = {
    Status.QUEUED: {None, Status.RUNNING},
    Status.RUNNING: {Status.QUEUED},
    Status.DONE: {Status.RUNNING},
    Status.FAILED: {Status.RUNNING},
    Status.CANCELLED: {Status.QUEUED, Status.RUNNING},
}
"""Status: those that may come before it."""

pick = st.integers(0, 2 * MOST - 1)


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` sees it."""


class Queue(KnownQueue):
    @initialize()
    def begin(self) -> None:
        """Three jobs wait and one runs: courses that begin with nothing seldom come to the races."""
        for _ in range(4):
            self.submit()
        self.claim(0)

    # --- what people do

    @precondition(lambda self: len(self.line) < MOST and len(self.known) < 2 * MOST)
    @rule()
    def submit(self) -> None:
        self._appended(self.jobs.submit(self.photo, REQUEST).id)

    @precondition(lambda self: self.line)
    @rule(which=pick, ended=st.sampled_from([False, False, False, True]))
    def cancel(self, which: int, ended: bool) -> None:
        job_id = self.line[which % len(self.line)]
        if ended:
            job_id, _ = self._job(which)
        self._cancel(job_id)

    def _cancel(self, job_id: str) -> None:
        job = self.known[job_id]
        self.jobs.cancel(job_id)
        if job.status is Status.QUEUED:
            job.cancel = True
            self._ended(job_id, Status.CANCELLED)
        elif job.status is Status.RUNNING:
            job.cancel = True

    @precondition(lambda self: self.known and len(self.line) < MOST)
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

    @precondition(lambda self: self._waiting() and not self.paused)
    @rule()
    def pause(self) -> None:
        self.jobs.pause()
        self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def resume(self) -> None:
        self.jobs.resume()
        self.paused = False

    # --- what workers do

    @precondition(lambda self: len(self._busy()) < len(self.names))
    @rule(which=pick)
    def claim(self, which: int) -> None:
        idle = [who for who in self.names if who not in self._busy()]
        who = idle[which % len(idle)]
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

    @precondition(lambda self: self._busy())
    @rule(which=pick, stage=st.sampled_from([Stage.LOADING, Stage.SAMPLING, Stage.SAVING]), step=st.integers(0, 2))
    def progress(self, which: int, stage: Stage, step: int) -> None:
        _, name, job_id = self._work(which)
        assert transitions.renew(self.jobs.store, job_id, name, {"stage": stage, "step": step})
        self.known[job_id].lease += 1
        self.known[job_id].at = transitions.place_of(stage, step)

    @precondition(lambda self: self._busy())
    @rule(which=pick)
    def beat(self, which: int) -> None:
        _, name, job_id = self._work(which)
        assert transitions.renew(self.jobs.store, job_id, name, {})
        self.known[job_id].lease += 1

    @precondition(lambda self: self._busy())
    @rule(
        which=pick,
        at=st.sampled_from(["whole", "killed before the rename", "killed before the COMMIT"]),
        cancelled=st.booleans(),
    )
    def finish(self, which: int, at: str, cancelled: bool) -> None:
        who, name, job_id = self._work(which)
        if cancelled:  # at the last moment
            self._cancel(job_id)
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
                tasks._finish(self.jobs.store, self._view(job_id), name, _result(draft))
            except Killed:
                self.names[who] += "'"  # the next process has another name; the job is its dead owner's
                return
        self._ended(job_id, Status.CANCELLED if self.known[job_id].cancel else Status.DONE)

    @precondition(lambda self: self._busy())
    @rule(which=pick)
    def fail(self, which: int) -> None:
        _, name, job_id = self._work(which)
        assert transitions.fail(self.jobs.store, job_id, name, "broken", self._tick())
        self._ended(job_id, Status.FAILED)

    @precondition(lambda self: self._busy())
    @rule(which=pick)
    def stop_a_cancelled_one(self, which: int) -> None:
        _, name, job_id = self._work(which)
        mine, asked = transitions.lease_status(self.jobs.store, job_id, name)
        assert (mine, asked) == (True, self.known[job_id].cancel)
        if asked:
            tasks._cancelled(self.jobs.store, self._view(job_id), name)
            self._ended(job_id, Status.CANCELLED)

    @precondition(lambda self: self._busy())
    @rule(which=pick, cancelled=st.sampled_from([False, False, False, True]))
    def hand_back(self, which: int, cancelled: bool) -> None:
        _, name, job_id = self._work(which)
        if cancelled:
            self._cancel(job_id)
        assert transitions.hand_back(self.jobs.store, job_id, name, self._tick())
        if self.known[job_id].cancel:
            self._ended(job_id, Status.CANCELLED)
        else:
            self._returned(job_id)

    @precondition(lambda self: self._busy())
    @rule(which=pick)
    def die(self, which: int) -> None:
        who, _, _ = self._work(which)
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
        running = {row.id: row for row in job.select().where(job.status == Status.RUNNING)}
        self.seen |= {job_id: running[job_id] for job_id in self.known if job_id in running}

    @precondition(lambda self: any(job.status is Status.RUNNING for job in self.known.values()))
    @rule(
        which=pick,
        death=st.sampled_from([None, OUT_OF_MEMORY]),
        between=st.sampled_from(["", "cancelled", "look, cancelled", "look, renewed"]),
    )
    def look_and_lose(self, which: int, death: Death | None, between: str) -> None:
        running = [key for key, job in self.known.items() if job.status is Status.RUNNING]
        job_id = running[which % len(running)]
        self.look()
        if between.endswith("cancelled"):
            self._cancel(job_id)
        elif between.endswith("renewed"):
            assert transitions.renew(self.jobs.store, job_id, self.known[job_id].worker, {})
            self.known[job_id].lease += 1
        if not between.startswith("look"):
            self.look()
        self._lose(self.seen[job_id], death)

    @precondition(lambda self: any(job.status is Status.RUNNING for job in self.known.values()))
    @rule(which=pick, further=st.booleans())
    def lose_in_a_row(self, which: int, further: bool) -> None:
        """As many times as end a job that comes no further in between."""
        for step in range(transitions.MAX_LOSSES):
            running = [key for key, job in self.known.items() if job.status is Status.RUNNING]
            if not running:
                return
            job_id = running[which % len(running)]
            job = self.known[job_id]
            if further:
                assert transitions.renew(self.jobs.store, job_id, job.worker, {"stage": Stage.SAMPLING, "step": step})
                job.lease, job.at = job.lease + 1, transitions.place_of(Stage.SAMPLING, step)
            self.look()
            self._lose(self.seen[job_id], None)
            if len(self._busy()) < len(self.names):
                self.claim(which)

    @precondition(lambda self: self.seen)
    @rule(which=pick, death=st.sampled_from([None, OUT_OF_MEMORY]))
    def lose(self, which: int, death: Death | None) -> None:
        """By what was seen, however long ago that was."""
        self._lose(list(self.seen.values())[which % len(self.seen)], death)

    def _lose(self, row: Any, death: Death | None) -> None:
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
        event, told = self.jobs.store.tables.Event, {job_id: [] for job_id in self.known}
        for row in event.select(event.job, event.text).where(event.kind == "status").order_by(event.id).tuples():
            told[row[0]].append(Status(row[1]))
        for job_id, job in self.known.items():
            assert told[job_id][-1] is job.status
            for before, after in zip([None, *told[job_id]], told[job_id], strict=False):
                assert before in BEFORE[after], told[job_id]
        if self.known:
            job_id = self._each_time_another(list(self.known))
            assert [Status(e.text) for e in self.jobs.events_since(job_id) if e.kind == "status"] == told[job_id]

    @invariant()
    def places_are_a_list_and_folders_follow_rows(self) -> None:
        jobs_dir, listed, waiting = self.jobs.settings.jobs_dir, self.jobs.list(), self._waiting()
        assert [(job.id, job.place) for job in listed if job.status is Status.QUEUED] == [
            (job_id, place) for place, job_id in enumerate(waiting, 1)
        ]
        if waiting:
            job_id = self._each_time_another(waiting)
            assert self.jobs.get(job_id).place == waiting.index(job_id) + 1
        assert {job.id for job in listed} == {path.name for path in jobs_dir.glob("*")} == self.known.keys()
        for job in listed:
            if self.known[job.id].status is Status.DONE:
                assert job.video == self._folder(job.id) / VIDEO_NAME
                assert job.video.is_file(), "file and status appear together"
            else:
                assert job.video is None

    def _each_time_another(self, ids: list[str]) -> str:
        """For what takes long with each job: over a thousand changes it is all of them."""
        return ids[int(self.now) % len(ids)]


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


def check(machine: type[Queue], examples: int, steps: int, always_the_same: bool) -> None:
    """always_the_same: orders are made up alike in every run, so that a change is judged by its own merits."""
    found = settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
        derandomize=always_the_same,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],  # explaining takes minutes before 3.12
    )
    run_state_machine_as_test(machine, settings=found)


def test_no_order_of_changes_breaks_a_law(machine: type[Queue]) -> None:
    check(machine, examples=30, steps=20, always_the_same=True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_long_order_of_changes_breaks_a_law(machine: type[Queue]) -> None:
    check(machine, examples=2000, steps=80, always_the_same=False)
