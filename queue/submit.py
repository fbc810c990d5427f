"""Submit jobs: check a request and its photos, fill the jobs' folders, write the rows."""

import errno
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from ..errors import BadInput, ModelError, StoreError
from ..fs import link_whole, make_folder
from ..messages import Message, codes, msg
from ..models.find import OF_WEIGHTS, find_upscaler, require_model, taken_by
from ..models.loras import with_loras
from ..pipeline.families.flow.weights_files import stays_packed
from ..pipeline.families.modes import sampled_steps
from ..pipeline.media.normalised_photo import NormalisedPhoto
from ..pipeline.request import VideoRequest
from ..presets import ModelPreset, load_presets
from ..presets.options import LAST_PHOTO, OPTIONS
from ..settings import SHOWN, Settings
from .continuation import is_joined, video_before
from .job_folders import FolderReservation
from .store import listing, transitions
from .store.damage import DamagedError
from .store.positions import position_at
from .store.records import Record, keep_record
from .store.rows import (
    BEFORE_NAME,
    WORK_NAME,
    composed,
    last_photo_of,
    photo_of,
    write_last_photo,
    write_messages,
)
from .store.store import Store
from .types import EventKind, Job, Status

MIN_FREE_BYTES = 64 << 20
"""A new job is refused on a disk with less than this."""

Source = Path | bytes | NormalisedPhoto
"""A photo to submit: a file of any kind or its bytes, or one that was normalised before."""

Picture = tuple[Source, str]
"""A photo to submit, and its name for people."""


class NewJob(NamedTuple):
    """A job to be inserted.

    Attributes:
        id: Of the job.
        name: Of the photo, for people.
        request: The settings.
        photo: The job's own photo.
        last: Value of the column `last_photo`.
        notes: About what its photos' files lack.
    """

    id: str
    name: str
    request: VideoRequest
    photo: NormalisedPhoto
    last: str
    notes: tuple[Message, ...]


class Submitter:
    """Write new jobs to the store and their photos to the jobs' folders."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def submit(
        self,
        photos: Sequence[Picture],
        request: VideoRequest,
        owner: str,
        limit: int | None,
        checkpoints: Path | None,
        takes: int = 1,
        before: Path | None = None,
        joined: bool = False,
        last: Picture | None = None,
    ) -> list[str]:
        """Submit `takes` jobs for each photo, or none at all. Arguments and errors as in `Jobs.submit_all`.

        Returns:
            The new jobs' ids.
        """
        photos = [(photo, composed(name)) for photo, name in photos]
        last = None if last is None else (last[0], composed(last[1]))
        requests = request.takes(takes)
        loras = check_request(request, self._store.settings)
        if last is not None:
            check_last_photo(request, self._store.settings)
        count = len(photos) * takes
        with self._store.errors():
            self._check_room(owner, count, limit)  # early, before photos are read; `_insert_all` decides
        try:
            with FolderReservation(self._store, count) as filling:
                rows = self._fill_all(filling, photos, requests, checkpoints, last)
                if before is not None:
                    for folder in filling.folders:
                        _link_before(before, folder)
                self._accept(filling, lambda: self._insert_all(rows, owner, limit))
        except OSError as e:
            place = self._store.settings.jobs_dir
            raise StoreError(
                msg("the job cannot be kept in {place}: {error}", place=place, error=e.strerror or e),
                code=codes.DISK_FULL if e.errno == errno.ENOSPC else "",
            ) from e
        for folder, row in zip(filling.folders, rows, strict=True):
            joined = joined or before is not None
            keep_record(folder, Record(row.name, owner, row.request, time.time(), loras, joined))
        return filling.ids

    def _fill_all(
        self,
        filling: FolderReservation,
        photos: Sequence[Picture],
        requests: Sequence[VideoRequest],
        checkpoints: Path | None,
        last: Picture | None,
    ) -> list[NewJob]:
        """Fill the jobs' folders: for each photo one job of each request. A photo is read once."""
        rows, places = [], zip(filling.ids, filling.folders, strict=True)
        last_notes: tuple[Message, ...] = ()
        for photo, name in photos:
            notes: tuple[Message, ...] = ()
            for request in requests:
                job_id, folder = next(places)
                photo, found = _keep(photo, name, photo_of(folder))  # the next take links this one's
                notes, column = notes or found, ""
                if last is not None:
                    end, found = _keep(*last, last_photo_of(folder))
                    last, last_notes, column = (end, last[1]), last_notes or found, write_last_photo(end, last[1])
                if checkpoints is not None and checkpoints.is_dir():
                    _copy_work(checkpoints, folder / WORK_NAME)
                rows.append(NewJob(job_id, name, request, photo, column, notes + last_notes))
        return rows

    def _check_room(self, owner: str, more: int, limit: int | None) -> None:
        if limit is None:
            return
        waiting = listing.count(self._store, owner, [Status.QUEUED], None)
        if waiting + more > limit:
            raise BadInput(
                msg(
                    "{waiting} of your jobs are waiting already; at most {limit} may, so let some finish",
                    waiting=waiting,
                    limit=limit,
                )
            )

    def _accept(self, filling: FolderReservation, insert: Callable[[], None]) -> None:
        try:
            filling.accept(insert)
        except DamagedError as e:
            if not e.replaced:
                raise
            filling.accept(insert)  # into the new list

    def _insert_all(self, rows: Sequence[NewJob], owner: str, limit: int | None) -> None:
        """Insert all jobs inside a transaction."""
        self._store.serialize_writers()
        self._check_room(owner, len(rows), limit)
        for row in rows:
            self._insert(row, owner)

    def _insert(self, row: NewJob, owner: str) -> None:
        """Insert one job inside a transaction."""
        job_id, now = row.id, time.time()
        self._store.tables.Job.insert(
            id=job_id,
            position=position_at(self._store, None, job_id),
            name=row.name,
            owner=owner,
            request=json.dumps(row.request.to_json()),
            status=Status.QUEUED,
            created=now,
            warnings=write_messages(row.notes),
            photo=json.dumps(row.photo.to_json()),
            last_photo=row.last,
        ).execute()
        transitions.add_event(self._store, job_id, now, EventKind.STATUS, Status.QUEUED)
        for note in row.notes:
            transitions.add_event(self._store, job_id, now, EventKind.LOG, f"[WARN] {note}", level="WARNING")


def own_photo(job: Job) -> Picture:
    """Return a job's photo and its name, to be submitted again. Raise BadInput if the file is gone."""
    if not job.photo.path.is_file():
        raise BadInput(msg("the photo of job {job} is gone; choose the photo again", job=job.id))
    return (job.photo if job.photo.sha256 else job.photo.path), job.name


def own_last_photo(job: Job) -> Picture | None:
    """Return the picture that a job's video ends with, if it has one. Raise BadInput if the file is gone."""
    last = job.last_photo
    if last is None:
        return None
    if not last.path.is_file():
        raise BadInput(msg("the last picture of job {job} is gone; choose it again", job=job.id))
    return (last if last.sha256 else last.path), job.last_name


class Given(TypedDict):
    """The inputs of a job besides its settings, as `Jobs.submit_all` takes them.

    Attributes:
        photos: One (photo, name).
        owner: The login, "" without one.
        before: Video that the job's video is joined to, if any.
        joined: It was to be joined to a video, which may be gone.
        last: Picture that the video ends with, with its name; None = the model decides.
    """

    photos: list[Picture]
    owner: str
    before: Path | None
    joined: bool
    last: Picture | None


def given_to(job: Job) -> Given:
    """Return the inputs of a job for another job. Raise BadInput if a photo is gone."""
    return {
        "photos": [own_photo(job)],
        "owner": job.owner,
        "before": video_before(job),
        "joined": is_joined(job),
        "last": own_last_photo(job),
    }


def check_request(request: VideoRequest, settings: Settings) -> tuple[str, ...]:
    """Check that presets, model, upscaler and LoRAs exist, and that the model takes the settings.

    Returns:
        The LoRAs' fingerprints.

    Raises:
        BadInput: something is missing, or does not fit.
    """
    presets = load_presets(settings)
    presets.resolution(request.resolution)
    presets.duration(request.seconds)
    presets.quality(request.quality)
    try:
        model = require_model(request.model, presets, settings)
        find_upscaler(request.upscaler, presets, settings)
    except ModelError as e:
        raise BadInput(e.message) from e
    sampled_steps(request, model.preset)
    taken = taken_by(model.preset)
    if "loras" in taken:
        try:
            model = with_loras(model, request, settings)
        except ModelError as e:
            raise BadInput(e.message) from e
    for option in OPTIONS.values():
        value = getattr(request, option.name)
        if option.own and value not in (None, "", ()) and value is not False and option.name not in taken:
            raise BadInput(_not_taken(option.name, value, model.preset))
    return tuple(lora.fingerprint for lora in model.loras)


def _not_taken(name: str, value: Any, model: ModelPreset) -> Message:
    shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    said = {"name": name, "value": shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…", "model": model.name}
    if name in OF_WEIGHTS and stays_packed(model):
        return msg(
            "{name} is {value}, but the weights of {model} come from a quantised file and stay as they are; leave it "
            "out, or choose {base}",
            **said,
            base=model.base,
        )
    return msg(
        "{name} is {value}, but the model {model} has no such setting; leave it out or choose another model", **said
    )


def _link_before(before: Path, folder: Path) -> None:
    """Give a new job the video that it continues. Raise BadInput if that has been deleted meanwhile."""
    try:
        link_whole(before, folder / BEFORE_NAME)
    except FileNotFoundError as e:
        raise BadInput(msg("the video of job {job} is gone; make it again first", job=before.parent.name)) from e


def check_last_photo(request: VideoRequest, settings: Settings) -> None:
    """Check that a video can be made that ends with a picture of its own. Raise BadInput if not."""
    presets = load_presets(settings)
    model = require_model(request.model, presets, settings)
    if LAST_PHOTO.name not in taken_by(model.preset):
        able = [name for name, preset in presets.models.items() if LAST_PHOTO.name in taken_by(preset)]
        raise BadInput(
            msg(
                "the model {model} cannot be told which picture a video ends with; choose one of {known} or leave the "
                "last picture out",
                model=model.name,
                known=", ".join(able),
            )
        )
    if request.loop:
        raise BadInput(msg("a loop ends with its first picture; turn the loop off, or leave the last picture out"))


def _keep(photo: Source, name: str, path: Path) -> tuple[NormalisedPhoto, tuple[Message, ...]]:
    """Keep a photo in a new job's folder, which is made if it is missing.

    Args:
        photo: to be kept.
        name: for people.
        path: where it is kept.

    Returns:
        The job's own photo, and notes about what the given file lacks.
    """
    if isinstance(photo, NormalisedPhoto):
        _make_room(path.parent)
        return photo.place(path, name), ()
    from ..pipeline.media.photo.load import read_photo  # with numpy, which most commands do not need

    image, notes = read_photo(photo, name)
    _make_room(path.parent)
    return NormalisedPhoto.write(image, path), notes


def _copy_work(work: Path, target: Path) -> None:
    """Copy a failed job's checkpoints. None are copied if that job is deleted meanwhile. Raise OSError.

    `shutil.copytree` goes on after an error, such as a full disk, and raises a list without error numbers.
    """
    try:
        target.mkdir()
        for path in work.rglob("*"):  # a folder comes before what it holds
            place = target / path.relative_to(work)
            place.mkdir() if path.is_dir() else shutil.copyfile(path, place)
    except FileNotFoundError:
        shutil.rmtree(target, ignore_errors=True)


def _make_room(folder: Path) -> None:
    """Make a job's folder. Raise StoreError if its disk is full."""
    make_folder(folder)
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
