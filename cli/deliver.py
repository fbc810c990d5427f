"""Deliver finished videos: choose and test their destination before the work, copy them after it."""

import errno
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from ..errors import BadInput, FanslymotionError, NotFound
from ..fs import commit, commit_new, users_files
from ..messages import msg
from ..queue.types import Job, Status
from ..settings import own_path

SHORTER = (100, 40, 20)
"""Letters of a photo's name that a video's name takes over where the whole would be too long for the file system."""

PLAIN_NAME = "video"
"""Instead of a photo's name in which a letter cannot be used in that folder."""

LONGEST_NUMBER = "-99999"

MIN_FREE_BYTES = 64 << 20
"""A video takes 1 to 30 MB."""


class Target(NamedTuple):
    """Destination of a video.

    Attributes:
        path: The file.
        exact: Write exactly this file, even over another one; else a number is added if the name is taken.
    """

    path: Path
    exact: bool


class NotDelivered(FanslymotionError):
    """The video is finished but cannot be copied to its destination. The message has its place and a command."""


def choose_targets(photos: list[Path], out_path: str | Path | None, suffix: str, ending: str = ".mp4") -> list[Target]:
    """Choose each file's destination, and test that it is writable: after an hour of work is too late.

    Args:
        photos: Their names become the videos'.
        out_path: --out: a file for one photo, or a folder; None = the current folder. A path that ends in a separator
            is a folder, which is created if it is missing.
        suffix: Added to the names, as `720p-6s`.
        ending: Suffix of the files, as `.gif`.

    Returns:
        A target for each photo, in their order.

    Raises:
        BadInput: The destination is missing, not writable or full, or is one file for several videos.
    """
    asked = None if out_path is None else own_path(out_path, "--out")
    if asked is not None and str(out_path).endswith(("/", os.sep)) and not os.path.isdir(asked):
        _make_folder(asked)
    if asked is not None and not os.path.isdir(asked):  # unlike Path.is_dir false for a name that is too long
        if len(photos) > 1:
            raise BadInput(
                msg(
                    "--out is {path!r}; for several videos it must be a folder; write {path}/ to make it",
                    path=str(asked),
                )
            )
        if asked.suffix.lower() != ending:
            raise BadInput(
                msg(
                    "--out is {path!r}; the file's name ends in {ending}, a folder's in /",
                    path=str(asked),
                    ending=ending,
                )
            )
        _check_folder(asked.parent)
        if error := _refused(asked):
            raise BadInput(
                msg(
                    "the video cannot be called {path!r}: {error}; choose another name with --out",
                    path=str(asked),
                    error=error.strerror,
                )
            )
        return [Target(asked, exact=True)]
    folder = asked or own_path(".", "--out")
    _check_folder(folder)
    return [Target(_usable(folder, photo.stem, suffix, ending), exact=False) for photo in photos]


def _make_folder(folder: Path) -> None:
    try:
        with users_files():
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise BadInput(
            msg(
                "the folder {folder!r} cannot be made: {error}; choose another place with --out",
                folder=str(folder),
                error=e.strerror,
            )
        ) from e


def _usable(folder: Path, stem: str, suffix: str, ending: str) -> Path:
    """Return the video's path from the photo's name, shortened to what the file system accepts with a number."""
    for name in (stem, *(stem[:length].strip() for length in SHORTER if length < len(stem)), PLAIN_NAME):
        if _refused(folder / f"{name}-{suffix}{LONGEST_NUMBER}{ending}") is None:
            break
    return folder / f"{name}-{suffix}{ending}"


def _refused(path: Path) -> OSError | None:
    """Return the system's error for a file of that name; None if it accepts it, or it exists."""
    if sys.platform == "win32" and ":" in path.name:  # would open a second stream of the file before the colon
        return OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
    try:
        path.open("xb").close()
    except FileExistsError:
        return None
    except OSError as e:
        return e
    with suppress(OSError):
        path.unlink()
    return None


def _check_folder(folder: Path) -> None:
    if not os.path.isdir(folder):
        raise BadInput(
            msg(
                "there is no folder {folder!r} for the video; make it first, or choose another with --out",
                folder=str(folder),
            )
        )
    if error := _refused(_part(folder)):
        raise BadInput(
            msg(
                "the video cannot be written into {folder!r}: {error}; choose another place with --out",
                folder=str(folder),
                error=error.strerror,
            )
        ) from error
    with suppress(OSError):
        disk = shutil.disk_usage(folder)
        if disk.total > 0 and disk.free < MIN_FREE_BYTES:
            raise BadInput(
                msg(
                    "the disk of {folder!r} is full ({free} MB free); free some space, or choose another place with "
                    "--out",
                    folder=str(folder),
                    free=disk.free >> 20,
                )
            )


def deliver(job: Job, target: Target) -> Path:
    """Copy the job's video to its destination, whole or not at all.

    Returns:
        The path it got.

    Raises:
        NotFound: The job has no video.
        NotDelivered: It cannot be copied; the video stays with the job.
    """
    if job.status is not Status.DONE or job.video is None:
        raise NotFound(
            msg("job {job} is {status}; only a finished one has a video", job=job.id, status=job.status.words)
        )
    try:
        return copy(job.video, target)
    except OSError as e:
        raise NotDelivered(
            msg(
                "the video is made, but cannot be copied to {target!r}: {error}; it is safe at {video}. Copy it "
                "again: {command}",
                target=str(target.path),
                error=e.strerror or e,
                video=job.video,
                command=command(job, target),
            )
        ) from e


def deliver_file(made: Path, target: Target) -> Path:
    """Copy an exported file to its destination, whole or not at all.

    Returns:
        The path it got.

    Raises:
        NotDelivered: It cannot be copied; it stays with the job.
    """
    try:
        return copy(made, target)
    except OSError as e:
        raise NotDelivered(
            msg(
                "the file is made, but cannot be copied to {target!r}: {error}; it is at {made}",
                target=str(target.path),
                error=e.strerror or e,
                made=made,
            )
        ) from e


def command(job: Job, target: Target) -> str:
    """Return the command that delivers the job's video again, quoted for the system's shell."""
    words = ["fanslymotion", "jobs", "save", job.id, "--out", str(target.path)]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def copy(video: Path, target: Target) -> Path:
    """Copy a video into a file beside the target, then rename it.

    The file is created with the user's own umask: permissions are not set, because a share may refuse that.

    Returns:
        The path it got.

    Raises:
        OSError: From the file system.
    """
    part = _part(target.path.parent)
    try:
        with video.open("rb") as source, users_files(), part.open("xb") as to:
            shutil.copyfileobj(source, to, 1 << 20)
        if target.exact:
            commit(part, target.path)
            return target.path
        return _commit_beside(part, target.path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _part(folder: Path) -> Path:
    return folder / f".fanslymotion-{uuid4().hex[:8]}.part"


def _commit_beside(part: Path, path: Path) -> Path:
    """Rename a file to its name, with the first free number if it is taken: another command may take it at any time."""
    for name in chain([path], (path.with_stem(f"{path.stem}-{k}") for k in range(2, 100_000))):
        with suppress(FileExistsError):
            commit_new(part, name)
            return name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
