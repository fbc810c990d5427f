"""Find the jobs of dead workers.

On one machine a worker lives while it holds a file lock, which the system releases when the process ends in any way.
Process ids and clocks do not decide: ids are reused, clocks are changed. A worker on another machine is dead if its
lease has not changed for a while on the observer's own clock (`suspend_aware_clock`).
"""

import hashlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..store.store import Store
from ..store.transitions import mark_lost
from ..types import Status
from .host import MACHINE
from .unchanged import Unchanged

WORKERS, SUPERVISORS = "workers", "supervisors"
"""Folders of lock files in the data folder: one file for each worker, and one for each supervisor."""

LEASE_SECONDS = 30.0
"""A job of another machine's worker is lost when its lease has not changed for so long."""

HUNG_SECONDS = 120.0
"""The same for a living process of this machine. Its lease cannot change while the database is locked."""

FORGET_SECONDS = 300.0
"""Another machine's worker is deleted after so long without a heartbeat. If it lives, it registers again."""

LOCK_SECONDS = 10.0
"""How long to wait for a new lock, which another process may hold briefly to test it."""


def lock_path(home: Path, worker: str) -> Path:
    """Return the path of a worker's lock file."""
    return home / WORKERS / f"{worker}.lock"


def supervisor_lock(home: Path, gpu: str) -> Path:
    """Return the path of the lock file of this machine's supervisor for a GPU (`WorkerSlot.gpu`)."""
    here = hashlib.sha256(MACHINE.encode()).hexdigest()[:16]  # the folder may be shared with other machines
    return home / SUPERVISORS / (f"{here}-{gpu}.lock" if gpu else f"{here}.lock")


def acquire_lock(path: Path) -> FileLock:
    """Lock a file until this process ends or releases it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=LOCK_SECONDS, thread_local=False)
    lock.acquire()
    return lock


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds the lock. True if that cannot be tested."""
    if not path.is_file():
        return False
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return True  # no permission to test: assume that it lives
    lock.release()
    return False


def remove_lock(path: Path, own: FileLock | None = None) -> None:
    """Remove a lock file, unless another living process holds it.

    The file is removed while this process holds it: a process that has just opened it then sees that its file has no
    name any more, and creates a new one. Windows refuses to remove an open file, so there it is removed afterwards,
    unless another process has opened it.

    Args:
        path: the lock file.
        own: this process's lock on it, which is released.
    """
    lock = own or FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return  # held, or no permission to test
    with suppress(OSError):
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
    lock.release(force=True)
    with suppress(OSError):
        if sys.platform == "win32":
            path.unlink(missing_ok=True)


def lives_here(worker: Any) -> bool:
    """Tell whether a worker of this machine lives. worker: its row."""
    return is_locked(Path(worker.lock))


class Sweeper:
    """Take running jobs from dead workers. Any number of sweepers may run at once, in any process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._leases = Unchanged()
        """By job: its worker and lease."""
        self._beats = Unchanged()
        """By worker of another machine."""

    def sweep(self, now: float, at: float, own: str = "") -> int:
        """Take the jobs of dead workers.

        Args:
            now: seconds of a SuspendAwareClock.
            at: Unix seconds, for the events.
            own: the job that this process runs, "" for none. It is never taken, even if a locked database kept its
                lease from changing.

        Returns:
            How many jobs were taken.
        """
        job, worker = self._store.tables.Job, self._store.tables.Worker
        with self._store.errors():
            running = list(job.select().where((job.status == Status.RUNNING) & (job.id != own)))
        silent = self._leases.look({row.id: (row.worker, row.lease) for row in running}, now)
        taken = 0
        for row in running:
            with self._store.errors():
                holder = worker.get_or_none(worker.id == row.worker)
            if self._is_lost(holder, silent[row.id]):
                taken += mark_lost(self._store, row, "", at) is not None
        return taken

    def _is_lost(self, holder: Any, silent: float) -> bool:
        """Tell whether a job is lost. holder: its worker's row, or None. silent: seconds without a new lease."""
        if holder is not None and holder.machine == MACHINE and Path(holder.lock).is_file():
            return silent >= HUNG_SECONDS or not lives_here(holder)
        return silent >= LEASE_SECONDS

    def forget(self, now: float) -> None:
        """Delete dead workers of other machines: of containers, and of this machine before its reboot.

        Args:
            now: seconds of a SuspendAwareClock.
        """
        worker = self._store.tables.Worker
        with self._store.errors():
            rows = list(worker.select(worker.id, worker.beats).where(worker.machine != MACHINE))
        silent = self._beats.look({row.id: row.beats for row in rows}, now)
        for row in rows:
            if silent[row.id] >= FORGET_SECONDS:
                with self._store.write():
                    worker.delete().where((worker.id == row.id) & (worker.beats == row.beats)).execute()
