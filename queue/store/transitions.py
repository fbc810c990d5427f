"""Every change of a job's status. Each is one conditional UPDATE: whoever changes the row first has won.

    queued -> running -> done | failed | cancelled        (running -> queued: handed back, or taken from a lost worker)

A final status is never left: no UPDATE here starts from one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...messages import Message, as_message, codes
from ...pipeline.progress import Stage
from ...pipeline.request import VideoResult
from ..crash_diagnosis import Death
from ..types import Status
from .rows import BadRow, read_messages, write_messages
from .store import Store

MAX_LOSSES = 3
"""Workers lost without progress in between, before the job is failed."""
MAX_MEMORY_LOSSES = 6
"""The same where the system killed them for want of memory, and each attempt took less of it."""


NOT_BEGUN = {"stage": "", "step": 0, "steps": 0, "window": 0, "windows": 0, "eta": None, "slowest_step": 0.0}


def claim(store: Store, worker: str, now: float) -> Any | None:
    """Give the first waiting job to `worker`; None when none waits or the queue is paused."""
    job = store.tables.Job
    while True:
        with store.write():
            if paused(store):
                return None
            first = (
                job.select(job.id).where(job.status == Status.QUEUED).order_by(job.position, job.id).limit(1).first()
            )
            if first is None:
                return None
            won = _update(
                store,
                (job.id == first.id) & (job.status == Status.QUEUED),
                {"status": Status.RUNNING, "worker": worker, "last_progress": now, "cancel": False, **NOT_BEGUN},
            )
            if not won and store.sqlite:  # nobody else writes in this transaction
                raise BadRow(f"job {first.id} is found by one index and not by another")
            if won:
                job.update(started=now).where((job.id == first.id) & job.started.is_null()).execute()
                add_event(store, first.id, now, "status", Status.RUNNING)
                return job.get_by_id(first.id)


def unfinished(store: Store, worker: str) -> Any | None:
    """The job that runs under this worker's name. One that it does not know of was claimed, but the answer was lost."""
    job = store.tables.Job
    with store.errors():
        return job.get_or_none((job.status == Status.RUNNING) & (job.worker == worker))


def is_done_by(store: Store, job_id: str, worker: str) -> bool:
    """Has this worker finished it? An earlier `finish` was carried out, too, when only its answer was lost."""
    job = store.tables.Job
    with store.errors():
        done = (job.id == job_id) & (job.status == Status.DONE) & (job.worker == worker)
        return job.select().where(done).exists()


def renew(store: Store, job_id: str, worker: str, changes: Mapping[str, Any], log: bool = False) -> bool:
    """Renew the lease and write `changes` of progress; False when the job is no longer this worker's.

    log: lines are being written along, so followers must see a new revision even without changes.
    """
    job = store.tables.Job
    values: dict[str, Any] = {"lease": job.lease + 1, **changes}
    if changes or log:
        values["revision"] = job.revision + 1
    with store.write():
        fields = {getattr(job, name): value for name, value in values.items()}
        return job.update(fields).where(_mine(store, job_id, worker)).execute() == 1


def wanted(store: Store, job_id: str, worker: str) -> tuple[bool, bool]:
    """(is the job still this worker's, has somebody asked to cancel it). A read, for polling."""
    job = store.tables.Job
    with store.errors():
        row = job.select(job.cancel).where(_mine(store, job_id, worker)).tuples().first()
    return row is not None, bool(row and row[0])


def finish(store: Store, job_id: str, worker: str, result: VideoResult, now: float) -> bool:
    """`done`, unless a cancel came first; False when this worker may not finish it.

    Call it in the transaction in which the finished file gets its name: file and status appear together.
    """
    job = store.tables.Job
    record = {
        "width": result.width,
        "height": result.height,
        "frames": result.frames,
        "fps": result.fps,
        "stage_seconds": result.stage_seconds,
    }
    changes = {
        "status": Status.DONE,
        "finished": now,
        "fraction": 1.0,
        "eta": 0.0,
        "result": json.dumps(record),
        "warnings": write_messages([*_notes(store, job_id), *result.warnings]),
    }
    return _end(store, _mine(store, job_id, worker) & (job.cancel == False), job_id, changes, now)  # noqa: E712


def fail(store: Store, job_id: str, worker: str, error: str, now: float, tried: Sequence[str] = ()) -> bool:
    """error: a message with the fault's code. tried: what was changed on the way, so that it might go on."""
    changes = {"status": Status.FAILED, "finished": now, "eta": None, **_failure(error)}
    changes["warnings"] = write_messages([*_notes(store, job_id), *tried])
    return _end(store, _mine(store, job_id, worker), job_id, changes, now)


def _failure(error: str) -> dict[str, str]:
    """The columns of why a job failed."""
    message = as_message(error, codes.UNFORESEEN)
    return {"error": str(message), "failure": json.dumps(message.to_json())}


def _notes(store: Store, job_id: str) -> Sequence[Message]:
    """What the job already had to say when it was handed in: about its photo."""
    job = store.tables.Job
    with store.errors():
        row = job.select(job.warnings).where(job.id == job_id).tuples().first()
    return read_messages(row[0]) if row else []


def end_cancelled(store: Store, job_id: str, worker: str, now: float) -> bool:
    """The worker has stopped a job whose cancel was asked for."""
    changes = {"status": Status.CANCELLED, "finished": now, "eta": None}
    return _end(store, _mine(store, job_id, worker), job_id, changes, now)


def ask_cancel(store: Store, job_id: str, now: float) -> None:
    """A waiting job ends at once; a running one is marked, and its worker stops at the next step."""
    job = store.tables.Job
    this, changes = job.id == job_id, {"status": Status.CANCELLED, "finished": now}
    with store.write():
        # The mark comes first: it holds the row, so that the job cannot go from running to waiting in between.
        _update(store, this & job.status.in_((Status.QUEUED, Status.RUNNING)), {"cancel": True})
        _end(store, this & (job.status == Status.QUEUED), job_id, changes, now)


def hand_back(store: Store, job_id: str, worker: str, now: float) -> bool:
    """A graceful stop: the job waits again at its old place, and the attempt is not counted. A cancelled one ends."""
    job, mine = store.tables.Job, _mine(store, job_id, worker)
    with store.write():
        back = {"status": Status.QUEUED, "worker": "", "eta": None}
        if not _update(store, mine & (job.cancel == False), back):  # noqa: E712
            return end_cancelled(store, job_id, worker, now)
        add_event(store, job_id, now, "status", Status.QUEUED)
    return True


def mark_lost(store: Store, row: Any, last_output: str, now: float, death: Death | None = None) -> Status | None:
    """Take a job from a worker that died: waiting again, or failed after MAX_LOSSES at one place.

    `row` is the job as it was read; the UPDATE demands the same worker, attempt, lease and cancel, so that of two
    sweeps one wins, and neither against a worker that has renewed meanwhile, nor against a cancel.
    Returns the new status, None when it was not changed.
    A death further on than every earlier one is progress: the count of losses begins anew.
    last_output: what the worker wrote about this job, and about no other; "" where nobody listened.
    death: how it ended, where somebody saw it. After a kill for want of memory the next attempt takes less of it
    (`killed_for_memory`), which is progress of a kind: such jobs get more attempts.
    """
    death = death or Death()
    job = store.tables.Job
    same = _mine(store, row.id, row.worker)
    same &= (job.attempt == row.attempt) & (job.lease == row.lease) & (job.cancel == row.cancel)
    place = place_of(row.stage, row.step)
    losses = 1 if place > row.lost_place else row.losses + 1
    where = f"stage {row.stage or 'starting'}"
    if row.cancel:
        changes = {"status": Status.CANCELLED, "finished": now}
    elif losses >= (MAX_MEMORY_LOSSES if death.of_memory else MAX_LOSSES):
        failure = death.failure(losses, row.stage, "\n".join(last_output.splitlines()[-20:]))
        changes = {"status": Status.FAILED, "finished": now, "losses": losses, **_failure(failure)}
        changes["warnings"] = job.tried
    else:
        changes = {
            "status": Status.QUEUED,
            "worker": "",
            "attempt": row.attempt + 1,
            "losses": losses,
            "lost_place": max(place, row.lost_place),
            "eta": None,
            "last_death": json.dumps({"code": death.code, "stage": row.stage, "attempt": row.attempt}),
        }
    with store.write():
        if not _update(store, same, changes):
            return None
        text = (
            f"[WARN] {death.code}: The worker died at {where}, step {row.step} of {row.steps}; "
            f"attempt {row.attempt} is lost"
        )
        data = {"code": death.code, "stage": row.stage, "attempt": row.attempt, **death.values}
        add_event(store, row.id, now, "log", text, level="WARNING", data=data)
        add_event(store, row.id, now, "status", changes["status"])
        store.tables.Preview.delete().where(store.tables.Preview.job == row.id).execute()
    return changes["status"]


def killed_for_memory(store: Store, job_id: str, attempt: int) -> Stage | None:
    """The stage in which the system killed the worker of the attempt before this one because memory ran out."""
    job = store.tables.Job
    with store.errors():
        last = job.select(job.last_death).where(job.id == job_id).tuples().first()
    death = json.loads(last[0]) if last and last[0] else {}
    if death.get("code") != codes.KILLED_FOR_MEMORY or death["attempt"] != attempt - 1:
        return None
    return Stage(death["stage"] or Stage.LOADING)


def note_changes(store: Store, job_id: str, worker: str, changes: Sequence[Message]) -> None:
    """Add to the ways of working that a job was changed to, so that it tells of them should its worker die."""
    job = store.tables.Job
    mine = _mine(store, job_id, worker)
    with store.write():
        row = job.select(job.tried).where(mine).tuples().first()
        if row is not None:
            job.update({job.tried: write_messages([*read_messages(row[0]), *changes])}).where(mine).execute()


def place_of(stage: str, step: int) -> int:
    """How far a job is, as one number that grows; -1 before its first stage."""
    return list(Stage).index(Stage(stage)) * 10**6 + min(step, 10**6 - 1) if stage else -1


def paused(store: Store) -> bool:
    row = store.tables.Meta.get_or_none(store.tables.Meta.key == "paused")
    return row is not None and row.value == "1"


def add_event(
    store: Store, job_id: str, now: float, kind: str, text: str, level: str = "", data: Mapping[str, Any] | None = None
) -> None:
    kept = json.dumps(data) if data else ""
    store.tables.Event.insert(job=job_id, time=now, kind=kind, level=level, text=str(text), data=kept).execute()


def _mine(store: Store, job_id: str, worker: str) -> Any:
    job = store.tables.Job
    return (job.id == job_id) & (job.status == Status.RUNNING) & (job.worker == worker)


def _end(store: Store, condition: Any, job_id: str, changes: dict[str, Any], now: float) -> bool:
    with store.write():
        if not _update(store, condition, changes):
            return False
        add_event(store, job_id, now, "status", changes["status"])
        store.tables.Preview.delete().where(store.tables.Preview.job == job_id).execute()
    return True


def _update(store: Store, condition: Any, changes: Mapping[str, Any]) -> bool:
    job = store.tables.Job
    values = {getattr(job, name): value for name, value in changes.items()}
    return job.update({**values, job.revision: job.revision + 1}).where(condition).execute() == 1
