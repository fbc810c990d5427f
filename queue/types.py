"""Define what the queue returns to its callers: frozen snapshots of jobs, events and workers."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ..messages import Message, as_message, msg
from ..pipeline.media.normalised_photo import NormalisedPhoto
from ..pipeline.request import VideoRequest
from .abilities import Abilities

NO_PHOTO = NormalisedPhoto(Path())
NOTHING = as_message("")


class Status(StrEnum):
    """A job's status. Values are stored in the database: never rename one."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Tell whether the job has ended."""
        return self in (Status.DONE, Status.FAILED, Status.CANCELLED)

    @property
    def words(self) -> Message:
        """Return the status as a word in a sentence."""
        return _STATUS_WORDS[self]


_STATUS_WORDS = {
    Status.QUEUED: msg("queued"),
    Status.RUNNING: msg("running"),
    Status.DONE: msg("done"),
    Status.FAILED: msg("failed"),
    Status.CANCELLED: msg("cancelled"),
}


class EventKind(StrEnum):
    """What an event tells. Values are stored in the database: never rename one."""

    LOG = "log"  # a line
    STATUS = "status"  # the job's new status
    SAMPLE = "watch"  # a measurement of the device
    FAULT = "fault"  # a fault's code


class WorkerState(StrEnum):
    """What a worker does. Values are stored in the database: never rename one."""

    STARTING = "starting"
    IDLE = "idle"
    RUNNING = "running"
    CRASHED = "crashed"
    STOPPED = "stopped"


READY = (WorkerState.IDLE, WorkerState.RUNNING)
"""States of a worker that takes jobs."""


@dataclass(frozen=True)
class Job:
    """One job at one moment. All times are Unix seconds.

    Attributes:
        id: twelve hex digits.
        name: of the photo, for people.
        owner: the login, "" on a machine without logins.
        request: the settings.
        status: its status.
        cancelling: its cancellation was requested while it ran, and the worker has not stopped yet.
        attempt: 1 for the first; grows when a lost worker's job is resumed.
        created: when it was submitted.
        started: when its first attempt began.
        finished: when it ended.
        place: 1-based place among the waiting jobs, else 0.
        stage: of the pipeline, "" before its first.
        step: steps done of this stage's `steps`.
        steps: see `step`.
        part: name of what is being loaded, "" in other stages.
        window: 1-based window of frames, of `windows`.
        windows: see `window`.
        fraction: progress of the whole job, 0 to 1.
        eta_seconds: estimated seconds to the end; None if unknown.
        revision: grows with every change of the row.
        preview_version: grows with every new preview; 0 = none.
        worker: id of the worker that runs it, or ran it last.
        error: what happened and what to do, if it failed.
        warnings: notes on the photo, and plan changes.
        folder: the job's folder.
        video: the finished file, if it is done.
        width: of the finished file, in pixels, else 0.
        height: of the finished file, in pixels, else 0.
        frames: of the finished file, else 0.
        fps: frames a second of the finished file, else 0.
        favourite: marked by its owner.
        photo: the one that it is made from.
        last_photo: the picture that its video ends with; None where the model decides.
        last_name: of that picture, for people.
        waits_for: why no living worker can run it and what to do, if it waits for that, else "".
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
    part: str = ""
    photo: NormalisedPhoto = NO_PHOTO
    last_photo: NormalisedPhoto | None = None
    last_name: str = ""
    waits_for: Message = NOTHING


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list shows; the defaults show all.

    Attributes:
        text: part of the name; case is ignored.
        model: name of the model.
        resolution: name of the resolution.
        favourite: only favourites.
        since: Unix seconds; only jobs that ended later.
    """

    text: str = ""
    model: str = ""
    resolution: str = ""
    favourite: bool = False
    since: float = 0.0


@dataclass(frozen=True)
class Page:
    """A part of a list.

    Attributes:
        limit: at most so many jobs.
        offset: number of jobs to skip.
        after: `finished` and `id` of the last job of the previous page; for ended jobs only. Unlike with an offset,
            no job is shown twice or left out if others end meanwhile.
    """

    limit: int = 100
    offset: int = 0
    after: tuple[float, str] | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        id: grows over all jobs.
        job_id: the job.
        time: Unix seconds.
        kind: an `EventKind`.
        level: of a log line, DEBUG to ERROR, else "".
        text: the line, the new status, a sample of `worker.device_samples` as JSON, or a fault's code.
        data: codes and values of the text; a fault's values.
    """

    id: int
    job_id: str
    time: float
    kind: str
    level: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Crash:
    """How a worker died. time: Unix seconds. cause: likely cause, "" if unknown."""

    time: float
    cause: Message = NOTHING


@dataclass(frozen=True)
class WorkerInfo:
    """A worker as it last reported.

    Attributes:
        id: the worker's id.
        host: name of its machine.
        pid: process id on that machine.
        state: a `WorkerState`.
        alive: its process exists (on this machine), or its heartbeat is fresh (on another one).
        heartbeat: Unix seconds.
        started: Unix seconds.
        device: name of its GPU or CPU.
        job_id: the job that it runs, else "".
        stage: of that job.
        last_output: the last lines before it died, with the traceback of a crash on import.
        restarts: crashes in a row, without a good start between them.
        cause: likely cause of a crash, "" if unknown.
        gpu: UUID of the GPU that its supervisor gave it, `none` for the processor, "" for the one that torch finds.
        machine: identifies its machine (`liveness.host`).
        abilities: what it can run; None until it has told.
        vram: bytes of video memory that its cached model holds.
        crashes: how often a worker of this place (machine and GPU) has crashed.
        last_crash: the latest of them.
    """

    id: str
    host: str
    pid: int
    state: str
    alive: bool
    heartbeat: float
    started: float
    device: Message
    job_id: str
    stage: str
    last_output: str
    restarts: int
    cause: Message = NOTHING
    gpu: str = ""
    machine: str = ""
    abilities: Abilities | None = None
    vram: int = 0
    crashes: int = 0
    last_crash: Crash | None = None

    @property
    def ready(self) -> bool:
        """Tell whether it lives and takes jobs."""
        return self.alive and self.state in READY


def representative_workers(workers: list[WorkerInfo]) -> list[WorkerInfo]:
    """Return the workers that show the state of the queue: of each place the living ones, else its crashed one.

    A place is a GPU of a machine. A worker that is still starting counts only if none has crashed there: it may crash
    like its predecessor. One that ended otherwise counts only if there is no other.
    """
    places: dict[tuple[str, str], list[WorkerInfo]] = {}
    for worker in workers:
        places.setdefault((worker.machine, worker.gpu), []).append(worker)
    found = [worker for those in places.values() for worker in _of_one_place(those)]
    return in_order(found) or workers[:1]


def in_order(workers: list[WorkerInfo]) -> list[WorkerInfo]:
    """Return the living workers first, then by machine and GPU, so that each keeps its place in a list."""
    return sorted(workers, key=lambda worker: (not worker.alive, worker.host, worker.gpu, -worker.heartbeat))


def _of_one_place(workers: list[WorkerInfo]) -> list[WorkerInfo]:
    up = [worker for worker in workers if worker.alive and worker.state != WorkerState.STARTING]
    crashed = [worker for worker in workers if worker.state == WorkerState.CRASHED]
    return up or crashed[:1] or [worker for worker in workers if worker.alive]
