"""Finished videos without a row, as after a job list that was damaged and set aside, come back into the list.

Everything that is needed lies in the file: its settings and a name (`pipeline.metadata`).
"""

import json
import logging
import re
from pathlib import Path

from ..errors import BadInput, RenderError, StoreError
from ..pipeline.metadata import probe, read_metadata
from ..pipeline.request import VideoRequest
from . import state
from .rows import GONE_NAME, VIDEO_NAME
from .store import Store
from .types import Status

log = logging.getLogger(__name__)

JOB_ID = re.compile(r"[0-9a-f]{12}")


def adopt(store: Store, owner: str) -> int:
    """Make each of them a done job of this owner; return how many. Takes about a second for each: it is decoded.

    What somebody has deleted and what is no video of ours stays as it is.
    """
    jobs, count = store.tables.Job, 0
    try:
        folders = sorted(store.settings.jobs_dir.iterdir())
    except OSError:
        return 0
    with store.errors():
        known = {row.id for table in (jobs, store.tables.Folder) for row in table.select(table.id)}
    for folder in folders:
        if folder.name not in known and JOB_ID.fullmatch(folder.name) and _is_finished(folder):
            try:
                count += _adopt_one(store, folder, owner)
            except (BadInput, RenderError, OSError, TypeError, ValueError, KeyError) as e:
                log.warning("The video in %s is not taken into the list: %s", folder, e)
    return count


def _is_finished(folder: Path) -> bool:
    video = folder / VIDEO_NAME
    return video.is_file() and not (folder.is_symlink() or video.is_symlink() or (folder / GONE_NAME).exists())


def _adopt_one(store: Store, folder: Path, owner: str) -> bool:
    video, table = folder / VIDEO_NAME, store.tables.Job
    found = read_metadata(video)
    request = VideoRequest.from_json(found["request"])
    info, ended = probe(video), video.stat().st_mtime
    size = {"width": info.width, "height": info.height, "frames": info.frames, "fps": round(info.fps)}
    row = {
        "id": folder.name,
        "position": 0.0,
        "name": str(found["job"]["name"]),
        "owner": owner,
        "request": json.dumps(request.to_json()),
        "status": Status.DONE,
        "created": ended,
        "started": ended,
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
        state.add_event(store, folder.name, ended, "log", text, level="INFO")
        state.add_event(store, folder.name, ended, "status", Status.DONE)
    return True


def adopt_quietly(store: Store, owner: str) -> None:
    """For a thread beside a page that starts."""
    try:
        if count := adopt(store, owner):
            log.warning("%d finished videos were found in %s and are listed again", count, store.settings.jobs_dir)
    except StoreError as e:
        log.warning("%s", e)
    finally:
        store.close()
