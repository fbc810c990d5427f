"""Find the jobs of dead workers.

On one machine no clock and no process id decides whether a worker lives: it holds a file locked, and the system opens
that lock when the process ends, however it ends. Ids are given to other programs again, clocks are set back. A worker
elsewhere is gone when its lease has not moved for a while on the observer's own clock (`awake`).
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..store.store import Store
from ..store.transitions import mark_lost
from ..types import Status
from .host import MACHINE

WORKERS, SUPERVISORS = "workers", "supervisors"
"""Folders of lock files in the data folder: one for each worker; one for the supervisor of each machine."""

LEASE_SECONDS = 30.0
"""A job of another machine's worker is lost when its lease has not moved for so long."""

HUNG_SECONDS = 120.0
"""The same for a process of this machine that does live. Its lease cannot move while the database is locked."""

FORGET_SECONDS = 300.0
"""A worker of another machine is struck off when it has not beaten for so long. It enters itself again if it lives."""

LOCK_SECONDS = 10.0
"""How long to wait for a new lock: another process may be looking at the moment whether it is held."""


def lock_path(home: Path, worker: str) -> Path:
    return home / WORKERS / f"{worker}.lock"


def hold(path: Path) -> FileLock:
    """Lock it until this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=LOCK_SECONDS, thread_local=False)
    lock.acquire()
    return lock


def held(path: Path) -> bool:
    """Does a living process hold it?"""
    if not path.is_file():
        return False
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return True  # not allowed to look: when in doubt, it lives
    lock.release()
    return False


def discard(path: Path, own: FileLock | None = None) -> None:
    """Remove a lock file that no living process holds. own: this process's hold of it, which ends here.

    It is removed while it is held: a process that has just opened it then sees that its lock guards no name, and makes
    a new one. Windows refuses to remove an open file, so there it is removed after, unless somebody has opened it.
    """
    lock = own or FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return  # held, or not ours to look at
    with suppress(OSError):
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
    lock.release(force=True)
    with suppress(OSError):
        if sys.platform == "win32":
            path.unlink(missing_ok=True)


def lives_here(worker: Any) -> bool:
    """worker: a row of a worker of this machine."""
    return held(Path(worker.lock))


class Sweeper:
    """Takes running jobs from workers that are gone. Any number of them may work at once, in any process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}
        """Job: its worker and lease, and when this pair was first seen (`sweep`'s seconds)."""
        self._beats: dict[str, tuple[int, float]] = {}
        """Another machine's worker: its beats, and when this number was first seen."""

    def sweep(self, now: float, at: float, own: str = "") -> int:
        """Return how many jobs were taken.

        now: seconds of a SuspendAwareClock. at: Unix seconds, for the events. own: the job that this very process works on,
        "" for none; it goes on, however long the database kept its lease from moving.
        """
        job, worker = self._store.tables.Job, self._store.tables.Worker
        with self._store.errors():
            running = list(job.select().where((job.status == Status.RUNNING) & (job.id != own)))
        self._seen = {row.id: self._first_seen(row, now) for row in running}
        taken = 0
        for row in running:
            with self._store.errors():
                holder = worker.get_or_none(worker.id == row.worker)
            if self._is_lost(row, holder, now):
                taken += mark_lost(self._store, row, "", at) is not None
        return taken

    def _first_seen(self, row: Any, now: float) -> tuple[tuple[str, int], float]:
        state = (row.worker, row.lease)
        known = self._seen.get(row.id)
        return known if known is not None and known[0] == state else (state, now)

    def _is_lost(self, row: Any, holder: Any, now: float) -> bool:
        silent = now - self._seen[row.id][1]
        if holder is not None and holder.machine == MACHINE and Path(holder.lock).is_file():
            return silent >= HUNG_SECONDS or not lives_here(holder)
        return silent >= LEASE_SECONDS

    def forget(self, now: float) -> None:
        """Strike off the workers of other machines that are gone: of containers, of this one before its reboot."""
        worker = self._store.tables.Worker
        with self._store.errors():
            rows = list(worker.select(worker.id, worker.beats).where(worker.machine != MACHINE))
        known, self._beats = self._beats, {}
        for row in rows:
            beats, since = known.get(row.id, (row.beats, now))
            self._beats[row.id] = (row.beats, since if beats == row.beats else now)
            if now - self._beats[row.id][1] >= FORGET_SECONDS:
                with self._store.write():
                    worker.delete().where((worker.id == row.id) & (worker.beats == row.beats)).execute()
