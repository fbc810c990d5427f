"""Import finished videos that have no row, e.g. after a damaged job list was replaced.

Their folders hold what is needed: the video with its settings (`pipeline.media.mp4`), and the record of the submitted
job (`records`).
"""

import json
import logging
import time
from pathlib import Path

from ...errors import BadInput, RenderError, StoreError
from ...pipeline.media.mp4 import probe, read_metadata
from ...pipeline.request import VideoRequest
from ...settings import Settings
from ..types import Status
from . import transitions
from .records import Record, is_deleted, job_folders, keep_record, read_record
from .rows import RECORD_NAME, VIDEO_NAME, found_last_photo, revision_after_loss
from .store import Store

log = logging.getLogger(__name__)

NO_LOGIN = ""
"""Owner of a video without a record. The machine's owner sees jobs that were made without a login."""


def open_store(settings: Settings) -> Store:
    """Open the job list. If a damaged one is replaced, the finished videos that it lost are listed again.

    Raises:
        StoreError: the database cannot be used.
    """
    return Store(settings, import_orphans_quietly)


def import_orphans(store: Store) -> int:
    """List each orphaned video as a done job of its owner. Takes about a second for each, because it is decoded.

    Deleted jobs and videos that this program did not make are left unchanged.

    Returns:
        How many jobs were added.

    Raises:
        StoreError: the database cannot be used.
    """
    jobs, count = store.tables.Job, 0
    with store.errors():
        known = {row.id for table in (jobs, store.tables.Folder) for row in table.select(table.id)}
    for folder in job_folders(store.settings.jobs_dir):
        if folder.name not in known and _is_finished(folder):
            try:
                count += _import_one(store, folder)
            except (BadInput, RenderError, OSError, TypeError, ValueError, KeyError) as e:
                log.warning("The video in %s is not taken into the list: %s", folder, e)
    return count


def _is_finished(folder: Path) -> bool:
    video = folder / VIDEO_NAME
    return video.is_file() and not (folder.is_symlink() or video.is_symlink() or is_deleted(folder))


def _import_one(store: Store, folder: Path) -> bool:
    video, table = folder / VIDEO_NAME, store.tables.Job
    found = read_metadata(video)
    request = VideoRequest.from_json(found["request"])
    info, ended = probe(video), video.stat().st_mtime
    record = read_record(folder) or Record(str(found["job"]["name"]), NO_LOGIN, request, ended)
    size = {"width": info.width, "height": info.height, "frames": info.frames, "fps": round(info.fps)}
    row = {
        "id": folder.name,
        "position": 0.0,
        "name": record.name,
        "owner": record.owner,
        "request": json.dumps(request.to_json()),
        "status": Status.DONE,
        "created": record.created,
        "started": record.created,
        "finished": ended,
        "fraction": 1.0,
        "eta": 0.0,
        "result": json.dumps({**size, "stage_seconds": {}}),
        "last_photo": found_last_photo(folder),
        "revision": revision_after_loss(time.time()),
    }
    with store.write():
        owned = store.tables.Folder  # a row here means a deleted job, whose folder is about to be removed
        if any(one.get_or_none(one.id == folder.name) for one in (table, owned)) or not _is_finished(folder):
            return False
        table.insert(row).execute()
        text = "[INFO] This video was found in the data folder; the log of its job is lost"
        transitions.add_event(store, folder.name, ended, "log", text, level="INFO")
        transitions.add_event(store, folder.name, ended, "status", Status.DONE)
    return True


def keep_records(store: Store) -> int:
    """Write the missing records of listed jobs, which earlier versions did not write.

    Returns:
        How many records were written.
    """
    table, count = store.tables.Job, 0
    with store.errors():
        rows = list(table.select(table.id, table.name, table.owner, table.request, table.created))
    for row in rows:
        folder = store.settings.job_dir(row.id)
        if folder.is_dir() and not (folder / RECORD_NAME).exists():
            try:
                request = VideoRequest.from_json(json.loads(row.request))
                keep_record(folder, Record(row.name, row.owner, request, row.created))
                count += 1
            except (BadInput, TypeError, ValueError) as e:
                log.warning("What job %s is cannot be kept in its folder: %s", row.id, e)
    return count


def import_orphans_quietly(store: Store) -> None:
    """Write missing records and import orphans; log errors instead of raising them.

    Runs in its own thread after a damaged list was replaced. Closes the thread's connection at the end.
    """
    try:
        keep_records(store)
        if count := import_orphans(store):
            log.warning("%d finished videos were found in %s and are listed again", count, store.settings.jobs_dir)
    except StoreError as e:
        log.warning("%s", e)
    finally:
        store.close()


def examine_and_import(store: Store) -> None:
    """Check the whole list, then import orphans; log errors. Runs in its own thread while a page starts."""
    try:
        store.examine()
    except StoreError as e:
        log.warning("%s", e)
    import_orphans_quietly(store)
