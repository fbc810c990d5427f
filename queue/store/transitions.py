"""Change a job's status. Each change is one conditional UPDATE, so that of two concurrent changes the first wins.

    queued -> running -> done | failed | cancelled        (running -> queued: handed back, or the worker was lost)

A final status is never left: no UPDATE here starts from one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...messages import Message, as_message, codes
from ...pipeline.progress import Stage
from ...pipeline.request import VideoResult
from ..crash_diagnosis import Death
from ..types import EventKind, Status
from .rows import BadRow, read_messages, write_message, write_messages
from .store import Store
from .tables import PAUSED

MAX_LOSSES = 3
"""A job fails after so many lost workers without progress in between."""
MAX_MEMORY_LOSSES = 6
"""The same if the system killed them because memory ran out. Each attempt then uses less memory."""


NOT_BEGUN = {
    "stage": "",
    "step": 0,
    "steps": 0,
    "part": "",
    "window": 0,
    "windows": 0,
    "eta": None,
    "slowest_step": 0.0,
}
"""Progress columns of a job whose attempt has just been claimed."""


def claim(store: Store, worker: str, now: float, suits: Callable[[Any], bool] | None = None) -> Any | None:
    """Give the first waiting job that suits it to a worker.

    Args:
        store: the open store.
        worker: the worker's id.
        now: Unix seconds.
        suits: tells from a job's id, request, photo and waits_for whether this worker should run it; None: every job.
            It may take its time, so it is not called within the transaction.

    Returns:
        The job's row; None if no job waits that suits, or the queue is paused.
    """
    job = store.tables.Job
    judged: dict[str, bool] = {}
    while True:
        if suits is not None and not _judge(store, suits, judged):
            return None
        with store.write():
            if paused(store):
                return None
            waiting = job.select(job.id).where(job.status == Status.QUEUED).order_by(job.position, job.id)
            if suits is None:
                first = waiting.first()
            else:
                first = next((row for row in waiting.iterator() if judged.get(row.id) is not False), None)
            if first is None:
                return None
            if suits is not None and first.id not in judged:  # it was added or moved to the front meanwhile
                continue
            won = _update(
                store,
                (job.id == first.id) & (job.status == Status.QUEUED),
                {
                    "status": Status.RUNNING,
                    "worker": worker,
                    "last_progress": now,
                    "cancel": False,
                    "waits_for": "",
                    **NOT_BEGUN,
                },
            )
            if not won and store.sqlite:  # no other write is possible in this transaction
                raise BadRow(f"job {first.id} is found by one index and not by another")
            if won:
                job.update(started=now).where((job.id == first.id) & job.started.is_null()).execute()
                add_event(store, first.id, now, EventKind.STATUS, Status.RUNNING)
                return job.get_by_id(first.id)


def _judge(store: Store, suits: Callable[[Any], bool], judged: dict[str, bool]) -> bool:
    """Judge the waiting jobs in their order, up to the first that suits. Return whether there is one."""
    job = store.tables.Job
    waiting = job.select(job.id, job.request, job.photo, job.waits_for).where(job.status == Status.QUEUED)
    with store.errors():
        rows = list(waiting.order_by(job.position, job.id))
    for row in rows:
        if row.id not in judged:
            judged[row.id] = suits(row)
        if judged[row.id]:
            return True
    return False


def explain_wait(store: Store, job_id: str, reason: Message | None, now: float) -> None:
    """Write why a waiting job cannot be run by any living worker; None once one can. Tell it in the job's log, too."""
    job, said = store.tables.Job, write_message(reason)
    with store.write():
        waiting = (job.id == job_id) & (job.status == Status.QUEUED) & (job.waits_for != said)
        if _update(store, waiting, {"waits_for": said}) and reason:
            add_event(store, job_id, now, EventKind.LOG, f"[WARN] {reason}", level="WARNING")


def running_job(store: Store, worker: str) -> Any | None:
    """Return the row of the job that this worker runs, or None.

    A worker that knows of none has claimed it in a transaction whose answer was lost.
    """
    job = store.tables.Job
    with store.errors():
        return job.get_or_none((job.status == Status.RUNNING) & (job.worker == worker))


def is_done_by(store: Store, job_id: str, worker: str) -> bool:
    """Tell whether this worker finished the job: an earlier `finish` may have succeeded without an answer."""
    job = store.tables.Job
    with store.errors():
        done = (job.id == job_id) & (job.status == Status.DONE) & (job.worker == worker)
        return job.select().where(done).exists()


def renew(store: Store, job_id: str, worker: str, changes: Mapping[str, Any], log: bool = False) -> bool:
    """Renew a running job's lease and write its progress.

    Args:
        store: the open store.
        job_id: the job.
        worker: the id of the worker that runs it.
        changes: columns of progress.
        log: log lines are written in the same transaction, so the revision must grow even without changes.

    Returns:
        False if the job is no longer this worker's.
    """
    job = store.tables.Job
    values: dict[str, Any] = {"lease": job.lease + 1, **changes}
    if changes or log:
        values["revision"] = job.revision + 1
    with store.write():
        fields = {getattr(job, name): value for name, value in values.items()}
        return job.update(fields).where(_held_by(store, job_id, worker)).execute() == 1


def lease_status(store: Store, job_id: str, worker: str) -> tuple[bool, bool]:
    """Read (is the job still this worker's, was its cancellation requested). Used for polling."""
    job = store.tables.Job
    with store.errors():
        row = job.select(job.cancel).where(_held_by(store, job_id, worker)).tuples().first()
    return row is not None, bool(row and row[0])


def finish(store: Store, job_id: str, worker: str, result: VideoResult, now: float) -> bool:
    """Set a running job to done, unless its cancellation was requested.

    Call it in the transaction in which the finished file gets its name: file and status appear together.

    Args:
        store: the open store.
        job_id: the job.
        worker: the id of the worker that runs it.
        result: the finished video.
        now: Unix seconds.

    Returns:
        False if the job was cancelled or is no longer this worker's.
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
        "warnings": write_messages([*_photo_notes(store, job_id), *result.warnings]),
    }
    return _end(store, _held_by(store, job_id, worker) & (job.cancel == False), job_id, changes, now)  # noqa: E712


def fail(store: Store, job_id: str, worker: str, error: str, now: float, tried: Sequence[str] = ()) -> bool:
    """Set a running job to failed.

    Args:
        store: the open store.
        job_id: the job.
        worker: the id of the worker that runs it.
        error: a message with the fault's code.
        now: Unix seconds.
        tried: messages about the plan changes before the failure.

    Returns:
        False if the job is no longer this worker's.
    """
    changes = {"status": Status.FAILED, "finished": now, "eta": None, **_failure(error)}
    changes["warnings"] = write_messages([*_photo_notes(store, job_id), *tried])
    return _end(store, _held_by(store, job_id, worker), job_id, changes, now)


def _failure(error: str) -> dict[str, str]:
    """Return the columns that hold why a job failed."""
    message = as_message(error, codes.UNFORESEEN)
    return {"error": str(message), "failure": json.dumps(message.to_json())}


def _photo_notes(store: Store, job_id: str) -> Sequence[Message]:
    """Return the job's warnings from its submission, which are about its photo."""
    job = store.tables.Job
    with store.errors():
        row = job.select(job.warnings).where(job.id == job_id).tuples().first()
    return read_messages(row[0]) if row else []


def end_cancelled(store: Store, job_id: str, worker: str, now: float) -> bool:
    """Set a running job to cancelled, after its worker has stopped it. False if it is no longer this worker's."""
    changes = {"status": Status.CANCELLED, "finished": now, "eta": None}
    return _end(store, _held_by(store, job_id, worker), job_id, changes, now)


def ask_cancel(store: Store, job_id: str, now: float) -> None:
    """Cancel a job. A waiting one ends at once. A running one is marked, and its worker stops at the next step."""
    job = store.tables.Job
    this, changes = job.id == job_id, {"status": Status.CANCELLED, "finished": now}
    with store.write():
        # The mark comes first: it locks the row, so that the job cannot change from running to waiting in between.
        _update(store, this & job.status.in_((Status.QUEUED, Status.RUNNING)), {"cancel": True})
        _end(store, this & (job.status == Status.QUEUED), job_id, changes, now)


def hand_back(store: Store, job_id: str, worker: str, now: float) -> bool:
    """Return a running job to its old place in the queue, without counting the attempt. A cancelled job ends instead.

    Returns:
        False if the job is no longer this worker's.
    """
    job, mine = store.tables.Job, _held_by(store, job_id, worker)
    with store.write():
        back = {"status": Status.QUEUED, "worker": "", "eta": None}
        if not _update(store, mine & (job.cancel == False), back):  # noqa: E712
            return end_cancelled(store, job_id, worker, now)
        add_event(store, job_id, now, EventKind.STATUS, Status.QUEUED)
    return True


def mark_lost(store: Store, row: Any, last_output: str, now: float, death: Death | None = None) -> Status | None:
    """Take a running job from a dead worker: it waits again, or fails after MAX_LOSSES without progress.

    The UPDATE requires the worker, attempt, lease and cancel of `row`. So only one of two sweepers succeeds, and none
    does if the worker has renewed its lease or a cancellation was requested meanwhile.

    A death after more progress than at every earlier one resets the count of losses. After a kill because memory ran
    out, the next attempt uses less memory (`killed_for_memory`), so such jobs get MAX_MEMORY_LOSSES attempts.

    Args:
        store: the open store.
        row: the job as it was read.
        last_output: what the worker wrote about this job, and about no other; "" if unknown.
        now: Unix seconds.
        death: how the worker ended, if it was observed.

    Returns:
        The new status; None if the job was not changed.
    """
    death = death or Death()
    job = store.tables.Job
    same = _held_by(store, row.id, row.worker)
    same &= (job.attempt == row.attempt) & (job.lease == row.lease) & (job.cancel == row.cancel)
    place = place_of(row.stage, row.step)
    losses = 1 if place > row.lost_place else row.losses + 1
    where = f"stage {row.stage or 'starting'}"
    changes: dict[str, Any]
    if row.cancel:
        status = Status.CANCELLED
        changes = {"finished": now}
    elif losses >= (MAX_MEMORY_LOSSES if death.of_memory else MAX_LOSSES):
        failure = death.failure(losses, row.stage, "\n".join(last_output.splitlines()[-20:]))
        status = Status.FAILED
        changes = {"finished": now, "losses": losses, "warnings": job.tried, **_failure(failure)}
    else:
        status = Status.QUEUED
        changes = {
            "worker": "",
            "attempt": row.attempt + 1,
            "losses": losses,
            "lost_place": max(place, row.lost_place),
            "eta": None,
            "last_death": json.dumps({"code": death.code, "stage": row.stage, "attempt": row.attempt}),
        }
    with store.write():
        if not _update(store, same, {"status": status, **changes}):
            return None
        text = (
            f"[WARN] {death.code}: The worker died at {where}, step {row.step} of {row.steps}; "
            f"attempt {row.attempt} is lost"
        )
        data = {"code": death.code, "stage": row.stage, "attempt": row.attempt, **death.values}
        add_event(store, row.id, now, EventKind.LOG, text, level="WARNING", data=data)
        add_event(store, row.id, now, EventKind.STATUS, status)
        store.tables.Preview.delete().where(store.tables.Preview.job == row.id).execute()
    return status


def killed_for_memory(store: Store, job_id: str, attempt: int) -> Stage | None:
    """Return the stage in which the previous attempt's worker was killed because memory ran out, or None."""
    job = store.tables.Job
    with store.errors():
        last = job.select(job.last_death).where(job.id == job_id).tuples().first()
    death: dict[str, Any] = json.loads(last[0]) if last and last[0] else {}
    if death.get("code") != codes.KILLED_FOR_MEMORY or death["attempt"] != attempt - 1:
        return None
    return Stage(death["stage"] or Stage.LOADING)


def note_changes(store: Store, job_id: str, worker: str, changes: Sequence[Message]) -> None:
    """Add plan changes to a running job, so that they are still known if its worker dies."""
    job = store.tables.Job
    mine = _held_by(store, job_id, worker)
    with store.write():
        row = job.select(job.tried).where(mine).tuples().first()
        if row is not None:
            job.update({job.tried: write_messages([*read_messages(row[0]), *changes])}).where(mine).execute()


def place_of(stage: str, step: int) -> int:
    """Convert stage and step into one growing number; -1 before the first stage."""
    return list(Stage).index(Stage(stage)) * 10**6 + min(step, 10**6 - 1) if stage else -1


def paused(store: Store) -> bool:
    """Tell whether the queue is paused."""
    row = store.tables.Meta.get_or_none(store.tables.Meta.key == PAUSED)
    return row is not None and row.value == "1"


def add_event(
    store: Store,
    job_id: str,
    now: float,
    kind: EventKind,
    text: str,
    level: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to a job.

    Args:
        store: the open store.
        job_id: the job.
        now: Unix seconds.
        kind: what it tells.
        text: see `types.Event`.
        level: of a log line, DEBUG to ERROR.
        data: the text's code and values.
    """
    kept = json.dumps(data) if data else ""
    store.tables.Event.insert(job=job_id, time=now, kind=kind, level=level, text=str(text), data=kept).execute()


def _held_by(store: Store, job_id: str, worker: str) -> Any:
    job = store.tables.Job
    return (job.id == job_id) & (job.status == Status.RUNNING) & (job.worker == worker)


def _end(store: Store, condition: Any, job_id: str, changes: dict[str, Any], now: float) -> bool:
    with store.write():
        if not _update(store, condition, changes):
            return False
        add_event(store, job_id, now, EventKind.STATUS, changes["status"])
        store.tables.Preview.delete().where(store.tables.Preview.job == job_id).execute()
    return True


def _update(store: Store, condition: Any, changes: Mapping[str, Any]) -> bool:
    job = store.tables.Job
    values = {getattr(job, name): value for name, value in changes.items()}
    return job.update({**values, job.revision: job.revision + 1}).where(condition).execute() == 1
