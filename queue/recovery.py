"""Find the jobs of dead workers, and what dead processes left on the disk.

On one machine no clock and no process id decides whether a worker lives: it holds a file locked, and the system opens
that lock when the process ends, however it ends. Ids are given to other programs again, clocks are set back. A worker
elsewhere is gone when its lease has not moved for a while on the observer's own clock (`awake`).
"""

import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .rows import GONE_NAME, VIDEO_NAME, WORK_NAME
from .state import lose
from .store import Store
from .types import Status

HOST = socket.gethostname()

LEASE_SECONDS = 30.0
"""A job of another machine's worker is lost when its lease has not moved for so long."""

HUNG_SECONDS = 120.0
"""The same for a process of this machine that does live. Its lease cannot move while the database is locked."""

ORPHAN_SECONDS = 3600.0
"""A job's folder without a row is somebody's submit under way, or, after so long, what a killed one left."""


def machine() -> str:
    """Processes with the same one see each other's locks. Containers may share a host's name, so its name alone
    is not enough."""
    try:
        space = os.readlink("/proc/self/ns/pid") if sys.platform == "linux" else ""
    except OSError:
        space = ""
    return f"{HOST} {space}".strip()


MACHINE = machine()


def lock_path(home: Path, worker: str) -> Path:
    return home / "workers" / f"{worker}.lock"


def hold(path: Path) -> FileLock:
    """Lock it until this process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0, thread_local=False)
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


def lives_here(worker: Any) -> bool:
    """worker: a row of a worker of this machine."""
    return held(Path(worker.lock))


class Sweeper:
    """Takes running jobs from workers that are gone. Any number of them may work at once, in any process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[tuple[str, int], float]] = {}
        """Job: its worker and lease, and when this pair was first seen (`sweep`'s seconds)."""

    def sweep(self, now: float, at: float, own: str = "") -> int:
        """Return how many jobs were taken.

        now: seconds of an AwakeClock. at: Unix seconds, for the events. own: the job that this very process works on,
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
                taken += lose(self._store, row, "", at) is not None
        return taken

    def _first_seen(self, row: Any, now: float) -> tuple[tuple[str, int], float]:
        state = (row.worker, row.lease)
        known = self._seen.get(row.id)
        return known if known is not None and known[0] == state else (state, now)

    def _is_lost(self, row: Any, holder: Any, now: float) -> bool:
        silent = now - self._seen[row.id][1]
        if holder is not None and holder.machine == MACHINE:
            return silent >= HUNG_SECONDS or not lives_here(holder)
        return silent >= LEASE_SECONDS


def tidy(store: Store, now: float) -> None:
    """Remove what no job needs: work folders of ended jobs, folders of submits that were killed, old lock files.

    now: Unix seconds, compared with the files' own times. What cannot be removed is left for the next time.
    """
    tables = store.tables
    with store.errors():
        statuses = {row.id: row.status for row in tables.Job.select(tables.Job.id, tables.Job.status)}
        workers = {row.id for row in tables.Worker.select(tables.Worker.id)}
    for folder in _children(store.settings.jobs_dir):
        status = statuses.get(folder.name)
        if status is None:
            wanted = (folder / VIDEO_NAME).exists() and not (folder / GONE_NAME).exists()  # `adopt` takes it
            if now - _touched(folder, now) > ORPHAN_SECONDS and not wanted:
                shutil.rmtree(folder, ignore_errors=True)
        elif status in (Status.DONE, Status.CANCELLED):
            shutil.rmtree(folder / WORK_NAME, ignore_errors=True)
    for path in _children(lock_path(store.settings.home, "any").parent):
        old = now - _touched(path, now) > ORPHAN_SECONDS
        if old and path.suffix == ".lock" and path.stem not in workers and not held(path):
            path.unlink(missing_ok=True)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _touched(path: Path, default: float) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return default
