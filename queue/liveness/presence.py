"""Tell which workers are alive, from another process."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..abilities import Abilities
from ..store.rows import read_crash, read_message
from ..types import WorkerInfo, WorkerState
from .host import MACHINE
from .recovery import lives_here

FRESH_SECONDS = 20.0
"""A worker on another machine counts as alive while its last new heartbeat is not older than this."""


class Presence:
    """Remember when each worker's heartbeat was last seen to change, on this process's clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[int, float | None]] = {}

    def look(self, rows: Iterable[Any], stages: Mapping[str, str], now: float) -> list[WorkerInfo]:
        """Convert the workers' rows.

        Args:
            rows: of the table `workers`.
            stages: stage of the job that each worker runs, by the worker's id.
            now: Unix seconds.
        """
        rows = list(rows)
        self._beats = {row.id: self._beat(row) for row in rows}
        return [self._view(row, stages.get(row.id, ""), now) for row in rows]

    def _beat(self, row: Any) -> tuple[int, float | None]:
        """Return the number of beats, and when it was seen to change; None if it was not seen to change yet."""
        beats, since = self._beats.get(row.id, (row.beats, None))
        return row.beats, since if beats == row.beats else self._clock()

    def _is_fresh(self, row: Any, now: float) -> bool:
        """Tell whether another machine's worker is alive.

        That machine's clock may be wrong, and counts only until a heartbeat was seen to change.
        """
        since = self._beats[row.id][1]
        return abs(now - row.heartbeat) < FRESH_SECONDS if since is None else self._clock() - since < FRESH_SECONDS

    def _view(self, row: Any, stage: str, now: float) -> WorkerInfo:
        """Convert a worker's row. One that is no longer alive and did not crash counts as stopped."""
        lives = lives_here(row) if row.machine == MACHINE else self._is_fresh(row, now)
        alive = lives and row.state not in (WorkerState.CRASHED, WorkerState.STOPPED)
        return WorkerInfo(
            id=row.id,
            host=row.host,
            pid=row.pid,
            state=row.state if alive or row.state == WorkerState.CRASHED else WorkerState.STOPPED,
            alive=alive,
            heartbeat=row.heartbeat,
            started=row.started,
            device=read_message(row.device),
            job_id=row.job,
            stage=stage,
            last_output=row.last_output,
            cause=read_message(row.cause),
            restarts=row.restarts,
            gpu=row.gpu,
            machine=row.machine,
            abilities=Abilities.read(row.abilities),
            vram=row.vram,
            crashes=row.crashes,
            last_crash=read_crash(row.last_crash),
        )
