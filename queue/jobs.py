"""Submit, list and change jobs: the queue's public functions. Thread-safe, cheap to create, without torch."""

import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInput, NotFound
from ..messages import Message, msg
from ..pipeline.request import VideoRequest
from ..settings import Settings
from .broker import make_huey, register
from .continuation import check_ended, last_frame, with_other_seed
from .job_folders import delete_all, delete_job, remove_work
from .liveness.exit_codes import RELEASE, RESTART
from .liveness.presence import Presence
from .liveness.recovery import Sweeper
from .store import listing, transitions
from .store.import_orphans import open_store
from .store.listing import Owner
from .store.positions import position_at, put, swap_among_own
from .store.rows import WORK_NAME, read_message, to_event, to_job
from .store.tables import NOTICE, PAUSED
from .submit import Picture, Source, Submitter, given_to
from .types import Event, EventKind, Job, JobFilter, Page, Status, WorkerInfo


def _not_here(_: str) -> None:
    raise RuntimeError("only a worker process runs jobs")


class Jobs:
    """The queue's public functions.

    With an `owner`, jobs of other owners are treated as missing; None means no restriction. Every method raises
    StoreError if the database cannot be used, and NotFound for an unknown job.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = open_store(settings)
        self._tables = self.store.tables
        self._huey = make_huey(settings)
        self._wake = register(self._huey, _not_here)
        self._presence = Presence()
        self._submitter = Submitter(self.store)

    def close(self) -> None:
        """Close this thread's connections to the store and to the message queue. The next use opens them again."""
        self.store.close()
        self._huey.storage.close()

    # --- sending work -------------------------------------------------------------------------------------------

    def submit(
        self,
        photo: Source,
        request: VideoRequest,
        *,
        name: str = "",
        owner: str = "",
        limit: int | None = None,
        last: Picture | None = None,
    ) -> Job:
        """Submit a job, which then survives a power cut: keep a normalised photo, write the row, wake a worker.

        Args:
            photo: a file or its bytes, or a photo that was normalised before, which is linked.
            request: the settings.
            name: of the photo; by default the file's name.
            owner: the login, "" without one.
            limit: how many jobs of this owner may wait, this one included; None for no limit.
            last: the picture that the video ends with, for models that take it.

        Raises:
            BadInput: photos or settings are wrong, or the limit is reached. Nothing is kept.
            StoreError: the job cannot be stored.
        """
        name = name or (photo.stem if isinstance(photo, Path) else "photo")
        return self.submit_all([(photo, name)], request, owner=owner, limit=limit, last=last)[0]

    def submit_all(
        self,
        photos: Sequence[Picture],
        request: VideoRequest,
        *,
        owner: str = "",
        limit: int | None = None,
        checkpoints: Path | None = None,
        takes: int = 1,
        before: Path | None = None,
        joined: bool = False,
        last: Picture | None = None,
    ) -> "list[Job]":
        """Submit `takes` jobs for each (photo, name), or none at all.

        Args:
            photos: (photo as in `submit`, name) of each.
            request, owner, limit, last: as in `submit`, for all of them.
            checkpoints: the work folder of a failed job with the same photo and settings, to resume from.
            takes: jobs for each photo, 1 to `MOST_TAKES`. They differ in the seed alone (`VideoRequest.takes`).
            before: a video that each of the jobs' videos is joined to; the jobs get links of their own to it.
            joined: there was one, which may be gone (`before` is None): the finished videos say so.

        Raises:
            BadInput, StoreError: as in `submit`.
        """
        ids = self._submitter.submit(photos, request, owner, limit, checkpoints, takes, before, joined, last)
        for job_id in ids:
            self._send(job_id)
        return [self.get(job_id) for job_id in ids]

    def retry(
        self, job_id: str, owner: str | None = None, request: VideoRequest | None = None, limit: int | None = None
    ) -> Job:
        """Submit an ended job's photos again, as a new job with the same seed.

        With the same settings the new job resumes from a failed job's checkpoints.

        Args:
            job_id: the ended job.
            owner: whose job it must be.
            request: other settings; None for the same.
            limit: as in `submit`.

        Raises:
            BadInput: the job has not ended, a photo of it is gone, or as in `submit`.
        """
        old = self.get(job_id, owner)
        check_ended(old)
        wanted = request or old.request
        checkpoints = old.folder / WORK_NAME if wanted == old.request else None
        return self.submit_all(request=wanted, limit=limit, checkpoints=checkpoints, **given_to(old))[0]

    def again(self, job_id: str, owner: str | None = None, *, takes: int = 1, limit: int | None = None) -> "list[Job]":
        """Submit other takes of a job's video: the same photos and settings, other seeds.

        Args:
            job_id: the job, whatever its status.
            owner: whose job it must be.
            takes: how many, 1 to `MOST_TAKES`.
            limit: as in `submit`.

        Raises:
            BadInput: a photo of the job is gone, or as in `submit`.
        """
        old = self.get(job_id, owner)
        return self.submit_all(request=with_other_seed(old.request), limit=limit, takes=takes, **given_to(old))

    def continue_video(
        self, job_id: str, owner: str | None = None, *, joined: bool = True, limit: int | None = None
    ) -> Job:
        """Submit a job that continues a finished video: its last frame as the photo, the same settings, another seed.

        Args:
            job_id: the finished job.
            owner: whose job it must be.
            joined: the new job's video is both in one file; else it is the new part alone.
            limit: as in `submit`.

        Raises:
            BadInput: the job has no video, or its video cannot be read, or as in `submit`.
        """
        old = self.get(job_id, owner)
        photos, before = [(last_frame(old), old.name)], old.video if joined else None
        wanted = with_other_seed(old.request)
        return self.submit_all(photos, wanted, owner=old.owner, limit=limit, before=before)[0]

    # --- looking ------------------------------------------------------------------------------------------------

    def get(self, job_id: str, owner: Owner = None) -> Job:
        """Return one job. Raise NotFound."""
        with self.store.read():
            return self._view(self._row(job_id, owner))

    def list(
        self,
        *,
        owner: Owner = None,
        statuses: Iterable[Status] | None = None,
        sought: JobFilter | None = None,
        limit: int = 100,
        offset: int = 0,
        after: tuple[float, str] | None = None,
    ) -> "list[Job]":
        """List jobs: running first, then waiting in their order, then ended ones with the newest first.

        Args:
            owner: whose jobs.
            statuses: which ones; None for all.
            sought: further filters.
            limit, offset, after: see `Page`.
        """
        with self.store.read():
            rows = listing.rows(self.store, owner, statuses, sought, Page(limit, offset, after))
            waiting = [r for r in rows if r.status == Status.QUEUED]
            first = self._place(waiting[0]) if waiting else 0
            if owner is None:
                places = {row.id: first + i for i, row in enumerate(waiting)}
            else:
                places = {row.id: self._place(row) for row in waiting}
            return [to_job(row, self.settings, places.get(row.id, 0)) for row in rows]

    def count(
        self, *, owner: Owner = None, statuses: Iterable[Status] | None = None, sought: JobFilter | None = None
    ) -> int:
        """Count jobs; arguments as in `list`."""
        with self.store.errors():
            return listing.count(self.store, owner, statuses, sought)

    def snapshot(self, job_id: str, after_event: int = 0, limit: int = 500) -> "tuple[Job, list[Event]]":
        """Return a job and its events above `after_event`, of one moment. Called every 0.1 s by followers."""
        with self.store.read():
            return self._view(self._row(job_id, None)), self._events(job_id, after_event, limit)

    def events_since(self, job_id: str, after: int = 0, limit: int = 500) -> "list[Event]":
        """Return a job's events with ids above `after`, oldest first."""
        with self.store.errors():
            return self._events(job_id, after, limit)

    def running(self, owner: Owner = None) -> "list[Job]":
        """Return the running jobs."""
        return self.list(owner=owner, statuses=[Status.RUNNING])

    def names(self, limit: int = 1000) -> set[str]:
        """Return the names of the newest jobs' photos, with and without their extensions."""
        job = self._tables.Job
        with self.store.errors():
            found = [row.name for row in job.select(job.name).order_by(job.created.desc()).limit(limit)]
        return {form for name in found for form in (name, Path(name).stem)}

    def samples(self, job_id: str, limit: int) -> "list[dict[str, Any]]":
        """Return the job's newest `device_samples.Sample`s with their `time` in Unix seconds, oldest first."""
        event = self._tables.Event
        mine = (event.job == job_id) & (event.kind == EventKind.SAMPLE)
        with self.store.errors():
            rows = list(event.select().where(mine).order_by(event.id.desc()).limit(limit))
        return [{"time": round(row.time, 1), **json.loads(row.text)} for row in reversed(rows)]

    def preview(self, job_id: str) -> tuple[int, bytes] | None:
        """Return (version, animated WebP) of a running job's latest preview, or None."""
        with self.store.errors():
            row = self._tables.Preview.get_or_none(self._tables.Preview.job == job_id)
        return (row.version, bytes(row.image)) if row else None

    def revision(self) -> int:
        """Return a number that changes whenever another connection has written. Takes microseconds.

        It is SQLite's `PRAGMA data_version`, which is per connection: compare values of one thread only. 0 on
        PostgreSQL, which has no such number.
        """
        if not self.store.sqlite:
            return 0
        with self.store.errors():
            return self.store.db.execute_sql("PRAGMA data_version").fetchone()[0]

    # --- changing -----------------------------------------------------------------------------------------------

    def cancel(self, job_id: str, owner: Owner = None) -> Job:
        """Cancel a job: at once if it waits, at the next step if it runs. No effect on an ended one."""
        job = self.get(job_id, owner)
        transitions.ask_cancel(self.store, job_id, time.time())
        if job.status is Status.RUNNING:  # a dead worker would never see the request
            Sweeper(self.store).sweep(time.monotonic(), time.time())
        after = self.get(job_id)
        if after.status is Status.CANCELLED:
            remove_work(after.folder)
        return after

    def delete(self, job_id: str, owner: str | None = None) -> None:
        """Delete an ended job with its folder: photo, video, checkpoints, log.

        Raises:
            BadInput: the job has not ended.
        """
        job = self.get(job_id, owner)
        if not job.status.final:
            raise BadInput(
                msg("job {job} is {status}; cancel it before deleting it", job=job_id, status=job.status.words)
            )
        delete_job(self.store, job_id)

    def clean(self, owner: Owner = None) -> int:
        """Delete every job that failed or was cancelled, with its photo and checkpoints. Returns how many.

        Raises:
            FolderError: the first job whose folder cannot be written; the others are deleted all the same.
        """
        ended = [Status.FAILED, Status.CANCELLED]
        return delete_all(lambda first: self.list(owner=owner, statuses=ended, offset=first), self.delete)

    def set_favourite(self, job_id: str, favourite: bool, owner: str | None = None) -> Job:
        """Mark a job as favourite, or remove the mark."""
        job = self.get(job_id, owner)
        table = self._tables.Job
        with self.store.write():
            changes = {table.favourite: favourite, table.revision: table.revision + 1}
            table.update(changes).where(table.id == job.id).execute()
        return self.get(job_id)

    def move(self, job_id: str, place: int, owner: str | None = None) -> Job:
        """Move a waiting job to `place` (1 = next). With an owner it moves only among the places of their own jobs.

        Raises:
            BadInput: the job does not wait, or `place` is below 1.
        """
        job = self.get(job_id, owner)
        if job.status is not Status.QUEUED:
            raise BadInput(
                msg("job {job} is {status}; only waiting jobs have a place", job=job_id, status=job.status.words)
            )
        if place < 1:
            raise BadInput(msg("place is {place}; it must be 1 or more", place=place))
        with self.store.write():
            if owner is not None:
                swap_among_own(self.store, job_id, place, owner)
            else:
                put(self.store, job_id, position_at(self.store, place, job_id))
        return self.get(job_id)

    def pause(self) -> None:
        """Stop starting waiting jobs. The running one continues."""
        self.store.set_meta(PAUSED, "1")

    def resume(self) -> None:
        """Start waiting jobs again."""
        self.store.set_meta(PAUSED, "0")
        self._send("")

    @property
    def paused(self) -> bool:
        """Tell whether the queue is paused."""
        with self.store.errors():
            return transitions.paused(self.store)

    @property
    def notice(self) -> Message:
        """Return the notice about a replaced job list, "" if there is none."""
        return read_message(self.store.meta(NOTICE))

    # --- workers ------------------------------------------------------------------------------------------------

    def workers(self) -> "list[WorkerInfo]":
        """Return the known workers: the living first, then by heartbeat."""
        now, job = time.time(), self._tables.Job
        with self.store.read():
            rows = list(self._tables.Worker.select())
            running = job.select(job.worker, job.stage).where(job.status == Status.RUNNING)
            stages = {row.worker: row.stage for row in running}
        found = self._presence.look(rows, stages, now)
        return sorted(found, key=lambda w: (not w.alive, -w.heartbeat))

    def restart_worker(self) -> int:
        """Ask every living worker to return its job to the queue and restart. Returns how many were asked."""
        return self._ask_workers(RESTART)

    def release_models(self) -> int:
        """Ask every living worker without a job to unload its cached model. Returns how many were asked."""
        return self._ask_workers(RELEASE)

    def _ask_workers(self, command: str) -> int:
        alive = [w.id for w in self.workers() if w.alive]
        worker = self._tables.Worker
        wanted = worker.id.in_(alive)
        if command == RELEASE:
            wanted &= worker.command == ""  # a requested restart unloads the model too
        with self.store.write():
            worker.update({worker.command: command}).where(wanted).execute()
        return len(alive)

    # --- inside -------------------------------------------------------------------------------------------------

    def _send(self, job_id: str) -> None:
        """Wake a consumer. Errors are ignored, because workers also poll for waiting jobs."""
        try:
            self._wake(job_id)
        except Exception:  # sqlite3 or psycopg errors, by storage; the row is written already
            return

    def _row(self, job_id: str, owner: Owner) -> Any:
        row = self._tables.Job.get_or_none(self._tables.Job.id == job_id)
        if row is None or (owner is not None and row.owner not in listing.logins(owner)):
            raise NotFound(msg("there is no job {job!r}", job=job_id))
        return row

    def _view(self, row: Any) -> Job:
        return to_job(row, self.settings, self._place(row) if row.status == Status.QUEUED else 0)

    def _place(self, row: Any) -> int:
        job = self._tables.Job
        before = (job.position < row.position) | ((job.position == row.position) & (job.id < row.id))
        return job.select().where((job.status == Status.QUEUED) & before).count() + 1

    def _events(self, job_id: str, after: int, limit: int) -> "list[Event]":
        event = self._tables.Event
        rows = event.select().where((event.job == job_id) & (event.id > after)).order_by(event.id).limit(limit)
        return [to_event(row) for row in rows]
