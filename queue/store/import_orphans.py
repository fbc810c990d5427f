"""Finished videos without a row, as after a job list that was damaged and set aside, come back into the list.

What is needed lies in their folders: the video, with its settings (`pipeline.metadata`), and what was handed in by
whom (`records`).
"""

import json
import logging
from pathlib import Path

from ...errors import BadInput, RenderError, StoreError
from ...pipeline.media.mp4 import probe, read_metadata
from ...pipeline.request import VideoRequest
from ..types import Status
from . import transitions
from .records import Record, is_deleted, job_folders, keep_record, read_record
from .rows import RECORD_NAME, VIDEO_NAME
from .store import Store

log = logging.getLogger(__name__)

MACHINES_OWN = ""
"""Whose a video is when nothing says it: the machine's owner sees what was made without a login."""


def import_orphans(store: Store) -> int:
    """Make each of them a done job of its owner; return how many. Takes about a second for each: it is decoded.

    What somebody has deleted and what is no video of ours stays as it is.
    """
    jobs, count = store.tables.Job, 0
    with store.errors():
        known = {row.id for table in (jobs, store.tables.Folder) for row in table.select(table.id)}
    for folder in job_folders(store.settings.jobs_dir):
        if folder.name not in known and _is_finished(folder):
            try:
                count += _adopt_one(store, folder)
            except (BadInput, RenderError, OSError, TypeError, ValueError, KeyError) as e:
                log.warning("The video in %s is not taken into the list: %s", folder, e)
    return count


def _is_finished(folder: Path) -> bool:
    video = folder / VIDEO_NAME
    return video.is_file() and not (folder.is_symlink() or video.is_symlink() or is_deleted(folder))


def _adopt_one(store: Store, folder: Path) -> bool:
    video, table = folder / VIDEO_NAME, store.tables.Job
    found = read_metadata(video)
    request = VideoRequest.from_json(found["request"])
    info, ended = probe(video), video.stat().st_mtime
    record = read_record(folder) or Record(str(found["job"]["name"]), MACHINES_OWN, request, ended)
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
    }
    with store.write():
        owned = store.tables.Folder  # of a deleted job: the folder is about to be removed
        if any(one.get_or_none(one.id == folder.name) for one in (table, owned)) or not _is_finished(folder):
            return False
        table.insert(row).execute()
        text = "[INFO] This video was found in the data folder; the log of its job is lost"
        transitions.add_event(store, folder.name, ended, "log", text, level="INFO")
        transitions.add_event(store, folder.name, ended, "status", Status.DONE)
    return True


def keep_records(store: Store) -> int:
    """Put into the folders of listed jobs what an earlier version did not: whose they are. Return of how many."""
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
    """For a thread of its own, after a damaged list was replaced."""
    try:
        keep_records(store)
        if count := import_orphans(store):
            log.warning("%d finished videos were found in %s and are listed again", count, store.settings.jobs_dir)
    except StoreError as e:
        log.warning("%s", e)
    finally:
        store.close()


def look_after(store: Store) -> None:
    """For a thread beside a page that starts: the whole list is looked at, then what it lacks is taken in."""
    try:
        store.examine()
    except StoreError as e:
        log.warning("%s", e)
    import_orphans_quietly(store)
