"""Order waiting jobs by positions with gaps between them, so that a move rewrites one row."""

from bisect import bisect_left, bisect_right
from typing import Any

from ..types import Status
from .store import Store

GAP = 1024.0
"""Distance between two new positions."""
SMALLEST_GAP = 1e-6
"""Below this distance all waiting jobs get new positions, because doubles have no value left between two."""


def position_at(store: Store, place: int | None, job_id: str) -> float:
    """Compute the position that puts a job at `place`. Call inside a write transaction.

    Args:
        store: the open store.
        place: 1 = first; None = last.
        job_id: the job, which is left out when places are counted.
    """
    job = store.tables.Job
    others = (job.status == Status.QUEUED) & (job.id != job_id)
    if place is None:
        last = job.select(job.position).where(job.status.in_([Status.QUEUED, Status.RUNNING]))
        row = last.order_by(job.position.desc()).limit(1).first()
        return (row.position if row else 0.0) + GAP
    line = job.select(job.id, job.position).where(others).order_by(job.position, job.id)
    around = list(line.offset(max(place - 2, 0)).limit(2))
    if place == 1:
        return (around[0].position if around else GAP) - GAP
    if len(around) < 2:
        return position_at(store, None, job_id)
    before, after = around
    if after.position - before.position < SMALLEST_GAP:
        _renumber(job, list(line))
        return position_at(store, place, job_id)
    return (before.position + after.position) / 2


def put(store: Store, job_id: str, position: float) -> None:
    """Give a job a position, if it still waits."""
    job = store.tables.Job
    waits = (job.id == job_id) & (job.status == Status.QUEUED)
    job.update({job.position: position, job.revision: job.revision + 1}).where(waits).execute()


def swap_among_own(store: Store, job_id: str, place: int, owner: str) -> None:
    """Reorder an owner's waiting jobs among their own positions; other owners' jobs keep theirs.

    The job moves to the owner's first place at or beyond `place`, in the direction of the move. Call inside a write
    transaction.
    """
    job = store.tables.Job
    waiting = job.select(job.id, job.owner, job.position).where(job.status == Status.QUEUED)
    rows: list[Any] = list(waiting.order_by(job.position, job.id))
    line = list(enumerate(rows, 1))
    own = [row for _, row in line if row.owner == owner]
    places = [at for at, row in line if row.owner == owner]
    before = next((index for index, row in enumerate(own) if row.id == job_id), None)
    if before is None:  # a worker has claimed it meanwhile
        return
    down = place > places[before]
    target = bisect_left(places, place) if down else bisect_right(places, place) - 1
    order = [row.id for row in own]
    order.insert(min(max(target, 0), len(own) - 1), order.pop(before))
    for row, moved in zip(own, order, strict=True):
        if row.id != moved:
            put(store, moved, row.position)


def _renumber(job: Any, rows: list[Any]) -> None:
    for i, row in enumerate(rows, 1):
        job.update({job.position: i * GAP}).where(job.id == row.id).execute()
