"""Who owns a job's folder before the job has a row and after it has none: a row of the table `folders`.

A folder is removed because a row says so, never because of its age: the clocks of two machines differ, and clocks are
set. The row is there before the folder is, and goes in the transaction that writes the jobs. So exactly one side gets
it: the submit, which then has its jobs, or whoever removes the folder.
"""

import logging
import secrets
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from filelock import FileLock

from ..errors import NotFound, StoreError
from ..messages import msg
from .liveness.host import MACHINE
from .liveness.recovery import SUPERVISORS, WORKERS, discard, held, hold, lock_path
from .store.records import is_deleted, mark_deleted, remove_folder, unmark
from .store.rows import FILLING, REMOVING, VIDEO_NAME, WORK_NAME
from .store.store import Store
from .types import Status

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 3600.0
"""A submit of another machine is given up when its row has been seen for so long. It ends with an error if it lives."""


def new_id() -> str:
    """Twelve hex digits, the first one a letter: PowerShell takes words such as 12e4 for numbers and changes them."""
    return secrets.choice("abcdef") + uuid4().hex[:11]


class Filling:
    """Context manager around a submit: folders for new jobs, which stay if `accept` succeeds and go if it does not.

    Whether it succeeded is looked up when it raised: the answer to a COMMIT can be lost although it was carried out.
    Then the error is swallowed, and `accepted` is True. What cannot be looked up now is left to `Leftovers`.
    """

    def __init__(self, store: Store, count: int) -> None:
        self._store = store
        self.ids = [new_id() for _ in range(count)]
        self.folders = [store.settings.job_dir(job_id) for job_id in self.ids]
        self.accepted = False
        self._lock_path = lock_path(store.settings.home, f"submit-{uuid4().hex}")
        self._lock: FileLock | None = None

    def __enter__(self) -> "Filling":
        self._lock = hold(self._lock_path)
        own = {"state": FILLING, "machine": MACHINE, "lock": str(self._lock_path)}
        try:
            with self._store.write():
                self._store.tables.Folder.insert_many([{"id": job_id, **own} for job_id in self.ids]).execute()
        except BaseException:
            self._let_go()
            raise
        return self

    def accept(self, insert: Callable[[], None]) -> None:
        """Write the jobs and give up the folders' rows, in one transaction. insert: writes the rows of all the jobs."""
        table = self._store.tables.Folder
        with self._store.write():
            mine = table.delete().where(table.id.in_(self.ids) & (table.state == FILLING)).execute()
            if mine != len(self.ids):
                raise StoreError(
                    msg("the photos' folders were taken for abandoned ones and removed; submit the photos again")
                )
            insert()
        self.accepted = True

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> bool:
        try:
            if not self.accepted:
                self._look()
        finally:
            self._let_go()
        return self.accepted and kind is not None and issubclass(kind, Exception)

    def _look(self) -> None:
        """Have the jobs been written, as far as the database knows? Else see to it that they never will be."""
        job = self._store.tables.Job
        try:
            with self._store.write():  # waits for a COMMIT of ours that the server is still carrying out
                if not condemn(self._store, self.ids):
                    # A write, not a read: where the disk refused to sync the jobs, it has to do so now.
                    there = job.update(revision=job.revision + 1).where(job.id.in_(self.ids))
                    self.accepted = there.execute() == len(self.ids)
        except StoreError as e:
            self.accepted = False
            log.warning("Whether jobs were accepted is not known yet; their photos stay until it is: %s", e)
            return
        if not self.accepted:
            remove(self._store, self.ids)

    def _let_go(self) -> None:
        discard(self._lock_path, self._lock)


class Leftovers:
    """Removes what killed submits and unfinished deletions left."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, float] = {}
        """Folder of another machine's submit: when its row was first seen (`remove`'s seconds)."""

    def remove(self, now: float) -> None:
        """now: seconds of a SuspendAwareClock."""
        table = self._store.tables.Folder
        with self._store.errors():
            rows = list(table.select())
        self._seen = {row.id: self._seen.get(row.id, now) for row in rows}
        job = self._store.tables.Job
        for row in rows:
            if row.state == FILLING:
                if not self._is_abandoned(row, now):
                    continue
                with self._store.write():
                    if not condemn(self._store, [row.id]):
                        continue  # its submit, which lives after all, has its job by now
            with self._store.errors():
                if job.get_or_none(job.id == row.id) is not None:
                    continue  # brought back from a list that was lost: a job's folder is never removed
            remove(self._store, [row.id])

    def _is_abandoned(self, row: Any, now: float) -> bool:
        if row.machine == MACHINE:
            return not held(Path(row.lock))
        return now - self._seen[row.id] >= ABANDONED_SECONDS


def condemn(store: Store, ids: Iterable[str]) -> int:
    """In a transaction: no submit may make jobs of these folders any more. Return how many were still being filled."""
    table = store.tables.Folder
    filling = table.id.in_(list(ids)) & (table.state == FILLING)
    return table.update({table.state: REMOVING}).where(filling).execute()


def delete_job(store: Store, job_id: str) -> None:
    """Remove an ended job's row, its events and its folder. Raise StoreError when it is still listed.

    The mark in the folder is on the disk first: should the list be lost, it tells that the job is not to come back.
    """
    tables, folder = store.tables, store.settings.job_dir(job_id)
    try:
        mark_deleted(folder)
    except OSError as e:
        with store.errors():
            listed = tables.Job.select().where(tables.Job.id == job_id).exists()
        if not listed:  # another delete was quicker, and has just removed the folder
            raise NotFound(msg("there is no job {job!r}", job=job_id)) from e
        raise StoreError(
            msg(
                "job {job} cannot be deleted: {error}; make {folder} writable",
                job=job_id,
                error=e.strerror or e,
                folder=folder,
            )
        ) from e
    try:
        with store.write():
            if not tables.Job.delete().where(tables.Job.id == job_id).execute():  # a final status is never left
                raise NotFound(msg("there is no job {job!r}", job=job_id))  # another delete was quicker
            tables.Event.delete().where(tables.Event.job == job_id).execute()
            tables.Preview.delete().where(tables.Preview.job == job_id).execute()
            disown(store, job_id)
    except StoreError:
        with store.errors():
            if tables.Job.select().where(tables.Job.id == job_id).exists():
                unmark(folder)
                raise
    except NotFound:
        remove_folder(folder)  # the mark may have made it anew
        raise
    remove(store, [job_id])


def disown(store: Store, job_id: str) -> None:
    """In the transaction that deletes a job: its folder is to be removed, by whoever comes to it first."""
    store.tables.Folder.insert(id=job_id, state=REMOVING, machine=MACHINE, lock="").on_conflict_ignore().execute()


def remove(store: Store, ids: Iterable[str]) -> None:
    """Remove folders whose rows say so. What cannot be removed now (a player holds it open) keeps its row."""
    for folder in map(store.settings.job_dir, ids):
        remove_folder(folder)
        if folder.exists():
            continue
        table = store.tables.Folder
        try:
            with store.write():
                table.delete().where((table.id == folder.name) & (table.state == REMOVING)).execute()
        except StoreError as e:
            log.debug("The row of the removed folder %s stays for now: %s", folder, e)


def collect_garbage(store: Store) -> None:
    """Remove what no job needs: ended jobs' work folders, what is left of deleted jobs, dead processes' lock files.

    And a cancelled job's video, whose worker died between its rename and the COMMIT of `done`.
    A folder that no row knows stays: it may be of a job list that was lost. What cannot be removed is left, too.
    """
    folders = _children(store.settings.jobs_dir)  # before the rows: a folder's first row is older than the folder
    tables = store.tables
    with store.errors():
        statuses = {row.id: row.status for row in tables.Job.select(tables.Job.id, tables.Job.status)}
        owned = {row.id for row in tables.Folder.select(tables.Folder.id)}
        workers = {row.id for row in tables.Worker.select(tables.Worker.id)}
    for folder in folders:
        status = statuses.get(folder.name)
        if status in (Status.DONE, Status.CANCELLED):
            shutil.rmtree(folder / WORK_NAME, ignore_errors=True)
            if status == Status.CANCELLED:
                with suppress(OSError):
                    (folder / VIDEO_NAME).unlink(missing_ok=True)
        elif status is None and folder.name not in owned and is_deleted(folder):
            remove_folder(folder)
    home = store.settings.home
    for path in _children(home / WORKERS) + _children(home / SUPERVISORS):
        if path.suffix == ".lock" and path.stem not in workers:
            discard(path)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
