"""Which workers are there, as seen from outside of them."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..store.rows import read_message
from ..types import WorkerInfo
from .host import MACHINE
from .recovery import lives_here

FRESH_SECONDS = 20.0
"""A worker on another machine counts as alive while it was seen to beat within this time."""


class Presence:
    """Keeps when each worker was last seen to beat, on its own clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[int, float | None]] = {}

    def look(self, rows: Iterable[Any], stages: Mapping[str, str], now: float) -> list[WorkerInfo]:
        """rows: of the workers. stages: of the jobs that they run, by worker. now: Unix seconds."""
        rows = list(rows)
        self._beats = {row.id: self._beat(row) for row in rows}
        return [self._view(row, stages.get(row.id, ""), now) for row in rows]

    def _beat(self, row: Any) -> tuple[int, float | None]:
        """Its beats, and when this number was first seen to be a new one; None until that happens."""
        beats, since = self._beats.get(row.id, (row.beats, None))
        return row.beats, since if beats == row.beats else self._clock()

    def _is_fresh(self, row: Any, now: float) -> bool:
        """For another machine's worker: its clock, which may be wrong, counts only until it was seen to beat."""
        since = self._beats[row.id][1]
        return abs(now - row.heartbeat) < FRESH_SECONDS if since is None else self._clock() - since < FRESH_SECONDS

    def _view(self, row: Any, stage: str, now: float) -> WorkerInfo:
        lives = lives_here(row) if row.machine == MACHINE else self._is_fresh(row, now)
        alive = lives and row.state not in ("crashed", "stopped")
        return WorkerInfo(
            id=row.id,
            host=row.host,
            pid=row.pid,
            state=row.state if alive or row.state == "crashed" else "stopped",
            alive=alive,
            heartbeat=row.heartbeat,
            started=row.started,
            device=row.device,
            job_id=row.job,
            stage=stage,
            last_output=row.last_output,
            cause=read_message(row.cause),
            restarts=row.restarts,
        )
