"""What everybody may ask of the queue. Cheap to make, safe from any thread, without torch."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import BadInput, ModelError, NotFound, StoreError
from ..fs import make_folder
from ..messages import Message, codes, msg
from ..models.find import find_upscaler, require_model
from ..pipeline.media.photo.load import read_photo, save_photo
from ..pipeline.request import VideoRequest
from ..presets import load_presets
from ..settings import Settings
from .broker import make_huey, register
from .job_folders import Filling, delete_job
from .liveness.exit_codes import RELEASE, RESTART
from .liveness.presence import Presence
from .liveness.recovery import Sweeper
from .store import listing, transitions
from .store.damage import DamagedError
from .store.listing import Owner
from .store.positions import position_at, put, swap_among_own
from .store.records import Record, keep_record
from .store.rows import WORK_NAME, photo_of, read_message, to_event, to_job, write_messages
from .store.store import Store
from .types import Event, Job, JobFilter, Page, Status, WorkerInfo

MIN_FREE_BYTES = 64 << 20
"""A new job is refused on a disk with less than this."""


def _not_here(_: str) -> None:
    raise RuntimeError("only a worker process runs jobs")


class Jobs:
    """The queue's public functions. `owner=None` means no restriction; else other people's jobs do not exist."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(settings)
        self._tables = self.store.tables
        self._huey = make_huey(settings)
        self._wake = register(self._huey, _not_here)
        self._presence = Presence()

    # --- sending work -------------------------------------------------------------------------------------------

    def submit(
        self, photo: Path | bytes, request: VideoRequest, *, name: str = "", owner: str = "", limit: int | None = None
    ) -> Job:
        """Check photo and settings, keep a normalised copy, write the row, wake a worker.

        Raise BadInput (nothing is left behind) or StoreError. When this returns, the job survives a power cut.
        limit: how many jobs of this owner may wait, this one among them.
        """
        name = name or (photo.stem if isinstance(photo, Path) else "photo")
        (job,) = self.submit_all([(photo, name)], request, owner=owner, limit=limit)
        return job

    def submit_all(
        self,
        photos: Sequence[tuple[Path | bytes, str]],
        request: VideoRequest,
        *,
        owner: str = "",
        limit: int | None = None,
        checkpoints: Path | None = None,
    ) -> "list[Job]":
        """One job for each (photo, name), or none at all: as `submit`.

        checkpoints: the work folder of a failed job with the same photo and settings, to go on from.
        """
        check_request(request, self.settings)
        with self.store.errors():
            self._check_room(owner, len(photos), limit)  # before any photo is read; below it is decided
        try:
            with Filling(self.store, len(photos)) as filling:
                notes = [
                    self._fill(folder, photo, name, checkpoints)
                    for folder, (photo, name) in zip(filling.folders, photos, strict=True)
                ]
                rows = [
                    (job_id, name, found) for job_id, (_, name), found in zip(filling.ids, photos, notes, strict=True)
                ]
                self._accept(filling, lambda: self._insert_all(rows, owner, request, limit))
        except OSError as e:
            place = self.settings.jobs_dir
            raise StoreError(
                msg("the job cannot be kept in {place}: {error}", place=place, error=e.strerror or e)
            ) from e
        for folder, (_, name) in zip(filling.folders, photos, strict=True):
            keep_record(folder, Record(name, owner, request, time.time()))
            self._send(folder.name)
        return [self.get(job_id) for job_id in filling.ids]

    def retry(
        self,
        job_id: str,
        owner: str | None = None,
        request: VideoRequest | None = None,
        limit: int | None = None,
    ) -> Job:
        """The same photo and settings (or `request`), the same seed, as a new job; only for one that has ended.

        With the same settings a failed job's checkpoints go along, so that what was done is not done again.
        """
        old = self.get(job_id, owner)
        if not old.status.final:
            raise BadInput(
                msg(
                    "job {job} is {status}; only a job that has ended can be tried again",
                    job=job_id,
                    status=old.status.words,
                )
            )
        photo = photo_of(old.folder)
        if not photo.is_file():
            raise BadInput(msg("the photo of job {job} is gone; choose the photo again", job=job_id))
        wanted = request or old.request
        checkpoints = old.folder / WORK_NAME if wanted == old.request else None
        again = [(photo, old.name)]
        return self.submit_all(again, wanted, owner=old.owner, limit=limit, checkpoints=checkpoints)[0]

    # --- looking ------------------------------------------------------------------------------------------------

    def get(self, job_id: str, owner: Owner = None) -> Job:
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
        """Running first, then waiting in their order, then the ended ones, newest first. after: see `Page`."""
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
        with self.store.errors():
            return listing.count(self.store, owner, statuses, sought)

    def snapshot(self, job_id: str, after_event: int = 0, limit: int = 500) -> "tuple[Job, list[Event]]":
        """The job and its events above `after_event`, of one moment. What followers ask every 0.1 s."""
        with self.store.read():
            return self._view(self._row(job_id, None)), self._events(job_id, after_event, limit)

    def events_since(self, job_id: str, after: int = 0, limit: int = 500) -> "list[Event]":
        with self.store.errors():
            return self._events(job_id, after, limit)

    def running(self, owner: Owner = None) -> "list[Job]":
        return self.list(owner=owner, statuses=[Status.RUNNING])

    def names(self, limit: int = 1000) -> set[str]:
        """What the newest jobs' photos are called, with and without their endings."""
        job = self._tables.Job
        with self.store.errors():
            found = [row.name for row in job.select(job.name).order_by(job.created.desc()).limit(limit)]
        return {form for name in found for form in (name, Path(name).stem)}

    def samples(self, job_id: str, limit: int) -> "list[dict[str, Any]]":
        """The newest `device_samples.Sample`s of the job, with their `time`, oldest first."""
        event = self._tables.Event
        mine = (event.job == job_id) & (event.kind == "watch")
        with self.store.errors():
            rows = list(event.select().where(mine).order_by(event.id.desc()).limit(limit))
        return [{"time": round(row.time, 1), **json.loads(row.text)} for row in reversed(rows)]

    def preview(self, job_id: str) -> tuple[int, bytes] | None:
        """(version, animated WebP) of a running job."""
        with self.store.errors():
            row = self._tables.Preview.get_or_none(self._tables.Preview.job == job_id)
        return (row.version, bytes(row.image)) if row else None

    def revision(self) -> int:
        """A number that changes whenever another connection has written; microseconds to read. 0 where unknown.

        It is SQLite's `PRAGMA data_version`, which is per connection: compare values of one thread only.
        """
        if not self.store.sqlite:
            return 0
        with self.store.errors():
            return self.store.db.execute_sql("PRAGMA data_version").fetchone()[0]

    # --- changing -----------------------------------------------------------------------------------------------

    def cancel(self, job_id: str, owner: Owner = None) -> Job:
        """Ask it to end: at once when it waits, at the next step when it runs, no effect when it has ended."""
        job = self.get(job_id, owner)
        transitions.ask_cancel(self.store, job_id, time.time())
        if job.status is Status.RUNNING:  # a dead worker would never see it
            Sweeper(self.store).sweep(time.monotonic(), time.time())
        after = self.get(job_id)
        if after.status is Status.CANCELLED:
            remove_work(after.folder)
        return after

    def delete(self, job_id: str, owner: str | None = None) -> None:
        """Remove an ended job with its folder: photo, video, checkpoints, log."""
        job = self.get(job_id, owner)
        if not job.status.final:
            raise BadInput(
                msg("job {job} is {status}; cancel it before deleting it", job=job_id, status=job.status.words)
            )
        delete_job(self.store, job_id)

    def clean(self, owner: Owner = None) -> int:
        """Delete every job that failed or was cancelled, with its photo and checkpoints. Returns how many."""
        count = 0
        while found := self.list(owner=owner, statuses=[Status.FAILED, Status.CANCELLED], limit=100):
            for job in found:
                with suppress(NotFound):  # another browser or command cleans at the same moment
                    self.delete(job.id)
                    count += 1
        return count

    def set_favourite(self, job_id: str, favourite: bool, owner: str | None = None) -> Job:
        """Mark a job as one to find again, or not."""
        job = self.get(job_id, owner)
        table = self._tables.Job
        with self.store.write():
            changes = {table.favourite: favourite, table.revision: table.revision + 1}
            table.update(changes).where(table.id == job.id).execute()
        return self.get(job_id)

    def move(self, job_id: str, place: int, owner: str | None = None) -> Job:
        """Put a waiting job at `place` (1 = next) of the line. An owner moves it among their own jobs' places only."""
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
        """Waiting jobs are not started; the running one goes on."""
        self.store.set_meta("paused", "1")

    def resume(self) -> None:
        self.store.set_meta("paused", "0")
        self._send("")

    @property
    def paused(self) -> bool:
        with self.store.errors():
            return transitions.paused(self.store)

    @property
    def notice(self) -> Message:
        """What the user must be told about the store itself, "" when all is well."""
        return read_message(self.store.meta("notice"))

    # --- workers ------------------------------------------------------------------------------------------------

    def workers(self) -> "list[WorkerInfo]":
        """The known workers, the living first, then by heartbeat."""
        now, job = time.time(), self._tables.Job
        with self.store.read():
            rows = list(self._tables.Worker.select())
            running = job.select(job.worker, job.stage).where(job.status == Status.RUNNING)
            stages = {row.worker: row.stage for row in running}
        found = self._presence.look(rows, stages, now)
        return sorted(found, key=lambda w: (not w.alive, -w.heartbeat))

    def restart_worker(self) -> int:
        """Ask every living worker to hand its job back and start anew. Returns how many were asked."""
        return self._ask_workers(RESTART)

    def release_models(self) -> int:
        """Ask every living worker to let its warm model go; one with a job keeps it. Returns how many were asked."""
        return self._ask_workers(RELEASE)

    def _ask_workers(self, command: str) -> int:
        alive = [w.id for w in self.workers() if w.alive]
        worker = self._tables.Worker
        wanted = worker.id.in_(alive)
        if command == RELEASE:
            wanted &= worker.command == ""  # a restart that is asked for releases it, too
        with self.store.write():
            worker.update({worker.command: command}).where(wanted).execute()
        return len(alive)

    # --- inside -------------------------------------------------------------------------------------------------

    def _check_room(self, owner: str, more: int, limit: int | None) -> None:
        if limit is None:
            return
        waiting = listing.count(self.store, owner, [Status.QUEUED], None)
        if waiting + more > limit:
            raise BadInput(
                msg(
                    "{waiting} of your jobs are waiting already; at most {limit} may, so let some finish",
                    waiting=waiting,
                    limit=limit,
                )
            )

    def _fill(self, folder: Path, photo: Path | bytes, name: str, checkpoints: Path | None) -> tuple[Message, ...]:
        """Return what the photo's file lacks, in sentences."""
        image, notes = read_photo(photo, name)
        make_folder(folder)
        _check_space(folder)
        save_photo(image, photo_of(folder))
        if checkpoints is not None and checkpoints.is_dir():
            shutil.copytree(checkpoints, folder / WORK_NAME)
        return notes

    def _accept(self, filling: Filling, insert: Callable[[], None]) -> None:
        try:
            filling.accept(insert)
        except DamagedError as e:
            if not e.replaced:
                raise
            filling.accept(insert)  # into the new list

    def _insert_all(
        self, rows: Sequence[tuple[str, str, tuple[Message, ...]]], owner: str, request: VideoRequest, limit: int | None
    ) -> None:
        """Call it in a transaction. rows: id, name, and what the photo's file lacks."""
        self.store.alone()
        self._check_room(owner, len(rows), limit)
        for job_id, name, notes in rows:
            self._insert(job_id, name, owner, request, notes)

    def _insert(self, job_id: str, name: str, owner: str, request: VideoRequest, notes: tuple[Message, ...]) -> None:
        """Call it in a transaction. notes: what the photo's file lacks."""
        now = time.time()
        self._tables.Job.insert(
            id=job_id,
            position=position_at(self.store, None, job_id),
            name=name,
            owner=owner,
            request=json.dumps(request.to_json()),
            status=Status.QUEUED,
            created=now,
            warnings=write_messages(notes),
        ).execute()
        transitions.add_event(self.store, job_id, now, "status", Status.QUEUED)
        for note in notes:
            transitions.add_event(self.store, job_id, now, "log", f"[WARN] {note}", level="WARNING")

    def _send(self, job_id: str) -> None:
        """Wake a consumer. A message that cannot be sent is no loss: a worker looks for waiting jobs by itself."""
        try:
            self._wake(job_id)
        except Exception:  # sqlite3 or psycopg errors, by storage; the row is written, which is what counts
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


def check_request(request: VideoRequest, settings: Settings) -> None:
    """Raise BadInput when a preset, the model's folder or the upscaler's file is not there, before anything is done."""
    presets = load_presets(settings)
    presets.resolution(request.resolution)
    presets.duration(request.seconds)
    presets.quality(request.quality)
    try:
        require_model(request.model, presets, settings)
        find_upscaler(request.upscaler, presets, settings)
    except ModelError as e:
        raise BadInput(e.message) from e


def remove_work(folder: Path) -> None:
    """Remove what only a running job needs: checkpoints and half-made files. Photo and video stay."""
    shutil.rmtree(folder / WORK_NAME, ignore_errors=True)


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise StoreError(
            msg(
                "the disk of {folder} is full ({free} MB free, a job needs at least {need} MB); free some space "
                "and try again",
                folder=folder,
                free=free >> 20,
                need=MIN_FREE_BYTES >> 20,
            ),
            code=codes.DISK_FULL,
        )
