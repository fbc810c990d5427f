"""The queue as it should be, a few fields a job: what the laws in test_laws compare the real one with."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.rows import to_job
from fanslymotion.queue.types import Status
from hypothesis.stateful import RuleBasedStateMachine


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


class KnownQueue(RuleBasedStateMachine):
    """A queue and what is known of it. jobs, photo: the real queue, and a photo to submit."""

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
        """Take everything away, whatever a broken law has left: the next course begins with nothing."""
        tables = self.jobs.store.tables
        with self.jobs.store.write():
            for table in (tables.Job, tables.Event, tables.Preview, tables.Folder):
                table.delete().execute()
            tables.Meta.delete().where(tables.Meta.key == "paused").execute()
        shutil.rmtree(self.jobs.settings.jobs_dir, ignore_errors=True)

    def _tick(self) -> float:
        self.now += 1
        return self.now

    def _job(self, which: int) -> tuple[str, Known]:
        job_id = list(self.known)[which % len(self.known)]
        return job_id, self.known[job_id]

    def _busy(self) -> dict[str, str]:
        """Living workers and their jobs: at most one each, a living worker claims no second one."""
        running = {job.worker: key for key, job in self.known.items() if job.status is Status.RUNNING}
        return {who: running[name] for who, name in self.names.items() if name in running}

    def _work(self, which: int) -> tuple[str, str, str]:
        """A living worker that has a job: who, its name, the job."""
        who, job_id = list(self._busy().items())[which % len(self._busy())]
        return who, self.names[who], job_id

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
