"""What the queue tells its callers: frozen snapshots of jobs, events and workers; no database objects."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..messages import Message, as_message, msg
from ..pipeline.request import VideoRequest


class Status(StrEnum):
    """A job's status. Values are stored in the database: never rename one."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (Status.DONE, Status.FAILED, Status.CANCELLED)

    @property
    def words(self) -> Message:
        """For sentences."""
        return _STATUS_WORDS[self]


_STATUS_WORDS = {
    Status.QUEUED: msg("queued"),
    Status.RUNNING: msg("running"),
    Status.DONE: msg("done"),
    Status.FAILED: msg("failed"),
    Status.CANCELLED: msg("cancelled"),
}


@dataclass(frozen=True)
class Job:
    """One job as it stands. Times are Unix seconds; `fraction` is 0..1; `place` is 1-based in the waiting line, else 0.

    name: the photo's own name, for people. owner: the login it belongs to, "" on a machine without logins.
    attempt: 1 for the first; raised when a lost worker's job is taken up again.
    cancelling: cancel was asked for while it ran and the worker has not stopped yet.
    revision: grows with every change of this row. preview_version: grows with every new preview, 0 = none.
    video, width, height, frames, fps: the finished file, when `status` is done.
    error: what happened and what to do, with its code, when `status` is failed. warnings: what was changed on the way.
    """

    id: str
    name: str
    owner: str
    request: VideoRequest
    status: Status
    cancelling: bool
    attempt: int
    created: float
    started: float | None
    finished: float | None
    place: int
    stage: str
    step: int
    steps: int
    window: int
    windows: int
    fraction: float
    eta_seconds: float | None
    revision: int
    preview_version: int
    worker: str
    error: Message
    warnings: tuple[Message, ...]
    folder: Path
    video: Path | None = None
    width: int = 0
    height: int = 0
    frames: int = 0
    fps: int = 0
    favourite: bool = False


@dataclass(frozen=True)
class JobFilter:
    """What a list of jobs is narrowed to; the defaults narrow nothing. text: part of the name, in any case.

    since: Unix seconds; only jobs that ended later.
    """

    text: str = ""
    model: str = ""
    resolution: str = ""
    favourite: bool = False
    since: float = 0.0


@dataclass(frozen=True)
class Page:
    """A part of a list. after: `finished` and `id` of the last job of the page before; only for ended jobs.

    Unlike an offset it neither shows a job twice nor leaves one out when others end meanwhile.
    """

    limit: int = 100
    offset: int = 0
    after: tuple[float, str] | None = None


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job. id grows over all jobs.

    kind: `log` (a line, with `level` DEBUG..ERROR), `status` (`text` is the new status), `watch` (`text` is a sample
    of `device_samples.Watcher` as JSON) or `fault` (`text` is a fault's code, `data` its values).
    """

    id: int
    job_id: str
    time: float
    kind: str
    level: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


NO_CAUSE = as_message("")


@dataclass(frozen=True)
class WorkerInfo:
    """A worker as it last reported. state: starting, idle, running, crashed or stopped; heartbeat: Unix seconds.

    alive: its heartbeat is fresh and, on this machine, its process exists. last_output: the last lines it wrote
    before it died, with the traceback of a crash on import. stage: of the job it runs. cause: the likely one of a
    crash, "" when there is none. restarts: in a row, without a good start between them.
    """

    id: str
    host: str
    pid: int
    state: str
    alive: bool
    heartbeat: float
    started: float
    device: str
    job_id: str
    stage: str
    last_output: str
    restarts: int
    cause: Message = NO_CAUSE


def representative_workers(workers: list[WorkerInfo]) -> list[WorkerInfo]:
    """Those that say how things stand: the living; where none lives, the one last heard of, for it says why.

    One that only starts is not heard yet: where its predecessor crashed, it may well be the next to do so.
    """
    up = [worker for worker in workers if worker.alive and worker.state != "starting"]
    crashed = [worker for worker in workers if worker.state == "crashed"]
    living = [worker for worker in workers if worker.alive]
    return up or crashed[:1] or living or workers[:1]
