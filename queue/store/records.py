"""Keep a job's owner and its deletion in the job's folder, so that both survive the loss of the job list."""

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import BadInput
from ...fs import read_patiently, sync_folder, write_whole
from ...pipeline.request import VideoRequest
from .rows import GONE_NAME, RECORD_NAME

log = logging.getLogger(__name__)

JOB_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Record:
    """A job as it was submitted.

    Attributes:
        name: of the photo, for people.
        owner: the login, "" without one.
        request: the settings.
        created: Unix seconds.
        loras: fingerprints of the LoRAs, in the request's order; none where they are not known.
        joined: its video is to be joined to an earlier one (`BEFORE_NAME`).
    """

    name: str
    owner: str
    request: VideoRequest
    created: float
    loras: tuple[str, ...] = ()
    joined: bool = False


def keep_record(folder: Path, record: Record) -> None:
    """Write a job's record. A failure is logged only, because a job is accepted without it too."""
    try:
        write_record(folder, record)
    except OSError as e:
        log.warning("What job %s is cannot be kept in its folder: %s", folder.name, e.strerror or e)


def write_record(folder: Path, record: Record) -> None:
    """Write an accepted job's record. Raise OSError."""
    write_whole(folder / RECORD_NAME, json.dumps(asdict(record) | {"request": record.request.to_json()}))


def read_record(folder: Path) -> Record | None:
    """Read a job's record. Return None if it is missing or incomplete."""
    try:
        found: dict[str, Any] = json.loads(read_patiently(folder / RECORD_NAME))
        request = VideoRequest.from_json(found["request"])
        before = [found["lora"]] if found.get("lora") else []  # of versions that knew one LoRA
        loras = tuple(map(str, found.get("loras", before)))
        joined = found.get("joined") is True
        return Record(str(found["name"]), str(found["owner"]), request, float(found["created"]), loras, joined)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, BadInput):
        return None


def records(jobs_dir: Path) -> Iterator[tuple[Path, Record]]:
    """Yield the folder and the record of every accepted job that was not deleted."""
    for folder in job_folders(jobs_dir):
        record = read_record(folder)
        if record is not None and not is_deleted(folder):
            yield folder, record


def job_folders(jobs_dir: Path) -> list[Path]:
    """Return the folders with a job's name, sorted; none if the folder cannot be read."""
    try:
        found = sorted(jobs_dir.iterdir())
    except OSError:
        return []
    return [folder for folder in found if JOB_ID.fullmatch(folder.name) and not folder.is_symlink()]


# --- deleting -------------------------------------------------------------------------------------------------------


def is_deleted(folder: Path) -> bool:
    """Tell whether the job was deleted. Its folder may remain: a player held a file open, or the program was killed."""
    return (folder / GONE_NAME).exists()


def is_lost(folder: Path) -> bool:
    """Tell whether a job without a row was not deleted: its row is lost, and `import_orphans` may bring it back."""
    return folder.is_dir() and not is_deleted(folder)


def mark_deleted(folder: Path) -> None:
    """Mark a job as deleted before its row is deleted: no power cut brings it back from here on. Raise OSError."""
    if folder.is_dir():
        write_whole(folder / GONE_NAME, "")


def unmark(folder: Path) -> None:
    """Remove the mark of a deletion that did not happen."""
    with suppress(OSError):
        (folder / GONE_NAME).unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a job's folder as far as possible.

    The mark is removed last. It stays if anything is left, and `collect_garbage` tries again.
    """
    if folder.is_symlink():
        return
    mark = folder / GONE_NAME
    try:
        for entry in folder.iterdir():
            if entry == mark:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.unlink()
        if [entry for entry in folder.iterdir() if entry != mark]:
            return
        sync_folder(folder)
        mark.unlink(missing_ok=True)
        os.rmdir(folder)
    except OSError as e:
        log.debug("%s is not removed yet: %s", folder, e)
