"""Create and remove jobs' folders. A row of the table `folders` owns a folder while no job does.

A folder is removed because of its row, never because of its age: the clocks of two machines differ, and clocks are
changed. The row is written before the folder is made, and deleted in the transaction that writes the jobs. So exactly
one side gets the folder: the submit, which then has its jobs, or the process that removes the folder.
"""

import logging
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from filelock import FileLock

from ..errors import NotFound, StoreError
from ..messages import msg
from .liveness.host import MACHINE
from .liveness.recovery import SUPERVISORS, WORKERS, acquire_lock, is_locked, lock_path, remove_lock
from .liveness.unchanged import Unchanged
from .store.records import is_deleted, mark_deleted, remove_folder, unmark
from .store.rows import FILLING, REMOVING, VIDEO_NAME, WORK_NAME
from .store.store import Store
from .types import Job, Status

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 3600.0
"""Another machine's submit counts as abandoned after its row was seen for so long. If it lives, it fails then."""


class FolderError(StoreError):
    """A job's folder cannot be written; the job list can."""


def new_id() -> str:
    """Return a new job id: twelve hex digits, the first one a letter, because PowerShell reads 12e4 as a number."""
    return secrets.choice("abcdef") + uuid4().hex[:11]


class FolderReservation:
    """Reserve folders for new jobs during the block, a submit. They are removed unless `accept` succeeds.

    The answer to a COMMIT can be lost although it was carried out. So after an error the database is asked: if the
    jobs are there, the error is suppressed and `accepted` is True. If the database cannot be asked now,
    `AbandonedFolders` cleans up later.

    Attributes:
        ids: the new jobs' ids.
        folders: their folders, which do not exist yet.
        accepted: whether the jobs are written.
    """

    def __init__(self, store: Store, count: int) -> None:
        self._store = store
        self.ids = [new_id() for _ in range(count)]
        self.folders = [store.settings.job_dir(job_id) for job_id in self.ids]
        self.accepted = False
        self._lock_path = lock_path(store.settings.home, f"submit-{uuid4().hex}")
        self._lock: FileLock | None = None

    def __enter__(self) -> "FolderReservation":
        self._lock = acquire_lock(self._lock_path)
        own = {"state": FILLING, "machine": MACHINE, "lock": str(self._lock_path)}
        try:
            with self._store.write():
                self._store.tables.Folder.insert_many([{"id": job_id, **own} for job_id in self.ids]).execute()
        except BaseException:
            self._release_lock()
            raise
        return self

    def accept(self, insert: Callable[[], None]) -> None:
        """Write the jobs and delete the folders' rows, in one transaction.

        Args:
            insert: writes the rows of all the jobs.

        Raises:
            StoreError: the folders were taken for abandoned ones, or the database failed.
        """
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
                self._check_accepted()
        finally:
            self._release_lock()
        return self.accepted and kind is not None and issubclass(kind, Exception)

    def _check_accepted(self) -> None:
        """Ask the database whether the jobs are written. If not, make sure that they never will be."""
        job = self._store.tables.Job
        try:
            with self._store.write():  # waits for our COMMIT if the server still executes it
                if not mark_for_removal(self._store, self.ids):
                    # A write, not a read: where the disk refused to sync the jobs, it has to do so now.
                    there = job.update(revision=job.revision + 1).where(job.id.in_(self.ids))
                    self.accepted = there.execute() == len(self.ids)
        except StoreError as e:
            self.accepted = False
            log.warning("Whether jobs were accepted is not known yet; their photos stay until it is: %s", e)
            return
        if not self.accepted:
            remove(self._store, self.ids)

    def _release_lock(self) -> None:
        remove_lock(self._lock_path, self._lock)


class AbandonedFolders:
    """Remove folders that killed submits and unfinished deletions left behind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = Unchanged()

    def remove(self, now: float) -> None:
        """Remove the folders that are to be removed or abandoned.

        Args:
            now: seconds of a SuspendAwareClock.
        """
        table = self._store.tables.Folder
        with self._store.errors():
            rows = list(table.select())
        known = self._rows.look(dict.fromkeys(row.id for row in rows), now)
        job = self._store.tables.Job
        for row in rows:
            if row.state == FILLING:
                if not self._is_abandoned(row, known[row.id]):
                    continue
                with self._store.write():
                    if not mark_for_removal(self._store, [row.id]):
                        continue  # its submit was alive and has written its job meanwhile
            with self._store.errors():
                if job.get_or_none(job.id == row.id) is not None:
                    continue  # imported after a lost list: a job's folder is never removed
            remove(self._store, [row.id])

    def _is_abandoned(self, row: Any, known: float) -> bool:
        """Tell whether the submit that fills a folder has ended. known: seconds since the row was first seen."""
        if row.machine == MACHINE:
            return not is_locked(Path(row.lock))
        return known >= ABANDONED_SECONDS


def mark_for_removal(store: Store, ids: Iterable[str]) -> int:
    """Mark folders for removal, so that no submit can make jobs of them. Call inside a transaction.

    Returns:
        How many of them were still being filled.
    """
    table = store.tables.Folder
    filling = table.id.in_(list(ids)) & (table.state == FILLING)
    return table.update({table.state: REMOVING}).where(filling).execute()


def delete_job(store: Store, job_id: str) -> None:
    """Delete an ended job's row, its events and its folder.

    The mark in the folder is written first: if the job list is lost, it prevents the job from being imported again.

    Raises:
        NotFound: there is no such job.
        FolderError, StoreError: the job cannot be deleted, and is still listed.
    """
    tables, folder = store.tables, store.settings.job_dir(job_id)
    try:
        mark_deleted(folder)
    except OSError as e:
        with store.errors():
            listed = tables.Job.select().where(tables.Job.id == job_id).exists()
        if not listed:  # a concurrent delete has just removed the folder
            raise NotFound(msg("there is no job {job!r}", job=job_id)) from e
        raise FolderError(
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
                raise NotFound(msg("there is no job {job!r}", job=job_id))  # a concurrent delete was first
            tables.Event.delete().where(tables.Event.job == job_id).execute()
            tables.Preview.delete().where(tables.Preview.job == job_id).execute()
            schedule_removal(store, job_id)
    except StoreError:
        with store.errors():
            if tables.Job.select().where(tables.Job.id == job_id).exists():
                unmark(folder)
                raise
    except NotFound:
        remove_folder(folder)  # writing the mark may have created it again
        raise
    remove(store, [job_id])


def delete_all(listed: Callable[[int], Sequence[Job]], delete: Callable[[str], None]) -> int:
    """Delete all jobs of a list, and go on after one whose folder cannot be written.

    Args:
        listed: returns the first jobs of the list from an index on, from 0; none at its end.
        delete: deletes the job with an id.

    Returns:
        How many were deleted.

    Raises:
        FolderError: the first that was met.
    """
    count, refused = 0, list[FolderError]()
    while found := listed(len(refused)):
        for job in found:
            try:
                delete(job.id)
                count += 1
            except NotFound:  # deleted concurrently by another browser or command
                continue
            except FolderError as e:
                refused.append(e)
    if refused:
        raise refused[0]
    return count


def schedule_removal(store: Store, job_id: str) -> None:
    """Schedule the removal of a job's folder, in the transaction that deletes the job."""
    store.tables.Folder.insert(id=job_id, state=REMOVING, machine=MACHINE, lock="").on_conflict_ignore().execute()


def remove(store: Store, ids: Iterable[str]) -> None:
    """Remove folders that are marked for removal. A folder that a player holds open keeps its row for the next try."""
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
    """Remove files that no job needs: ended jobs' work folders, rests of deleted jobs, dead processes' files.

    Also remove a cancelled job's video, whose worker died between its rename and the COMMIT of `done`. A folder
    without a row stays, because it may belong to a lost job list. Files that cannot be removed stay too.
    """
    from ..pipeline.media.exports.make import remove_parts

    # Folders are listed before the rows are read, because a folder's row is written before the folder is made.
    folders = _children(store.settings.jobs_dir)
    tables = store.tables
    with store.errors():
        statuses = {row.id: row.status for row in tables.Job.select(tables.Job.id, tables.Job.status)}
        owned = {row.id for row in tables.Folder.select(tables.Folder.id)}
        workers = {row.id for row in tables.Worker.select(tables.Worker.id)}
    for folder in folders:
        status = statuses.get(folder.name)
        if status in (Status.DONE, Status.CANCELLED):
            shutil.rmtree(folder / WORK_NAME, ignore_errors=True)
            remove_parts(folder)
            if status == Status.CANCELLED:
                with suppress(OSError):
                    (folder / VIDEO_NAME).unlink(missing_ok=True)
        elif status is None and folder.name not in owned and is_deleted(folder):
            remove_folder(folder)
    home = store.settings.home
    for path in _children(home / WORKERS) + _children(home / SUPERVISORS):
        if path.suffix == ".lock" and path.stem not in workers:
            remove_lock(path)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def remove_work(folder: Path) -> None:
    """Remove the files that only a running job needs: checkpoints and unfinished files."""
    shutil.rmtree(folder / WORK_NAME, ignore_errors=True)
