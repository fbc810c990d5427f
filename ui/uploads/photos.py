"""Store uploaded photos until they become jobs, normalised, for a day of the page's running time.

The wall clock is not used, because it may be changed. Numbers tell which photo is older. If the page never runs for a
day, its starts are counted.

The browser gets an id, never a path. Only the login that uploaded a photo can use its id.
"""

import asyncio
import json
import logging
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from PIL import Image

from ...errors import NotFound, StoreError
from ...fs import make_folder, read_patiently, write_json, write_whole
from ...messages import Message, msg
from ...pipeline.media.normalised_photo import NormalisedPhoto
from ...pipeline.media.photo.decode_memory import NeedsMemory
from ...pipeline.media.photo.decode_process import Decoded, Decoder, not_kept
from ...pipeline.media.photo.load import jpeg_view
from ...settings import Settings
from .turns import Turns

log = logging.getLogger(__name__)

KEEP_SECONDS = 24 * 3600
"""On this process's own monotonic clock, since it first saw the photo."""
KEEP_STARTS = 10
"""So many starts of the page after the one that it came in. Only starts in which a photo is uploaded count."""
MOST_KEPT = 200
"""Photos of one login; the oldest are deleted first."""
VIEW_SIDE = 1280
"""Pixels of the longer side of the picture that the page shows."""
POSTER_SIDE = 480
POSTER, LAST_POSTER = "poster.jpg", "last-poster.jpg"
"""Names of the small JPEGs of a job's photo, and of the picture that its video ends with."""
PHOTO_AWAY = msg("this photo is no longer available; choose it again")
DECODING_BYTES = (200_000_000, 740_000_000)
"""Memory limits of the processes that decode ordinary photos (up to about 20 megapixels) and large ones. Together they
stay below a gigabyte. An ordinary photo never waits for another login's large ones."""
ID = re.compile(r"[0-9a-f]{32}")
NAME_LENGTH = 120
"""Characters of a name that are kept."""


@dataclass(frozen=True)
class Photo:
    """An uploaded photo, normalised.

    Attributes:
        width: Of the normalised photo, in pixels.
        height: Of the normalised photo, in pixels.
        number: Grows with uploads.
        notes: What the file lacks.
        sha256: Of the normalised photo's file; "" for an upload of an earlier version.
        start: Number of the page's start in which it came; 0 for an upload of an earlier version.
    """

    id: str
    name: str
    owner: str
    width: int
    height: int
    folder: Path
    number: int = 0
    notes: tuple[Message, ...] = ()
    sha256: str = ""
    start: int = 0

    @property
    def path(self) -> Path:
        """Return the path of the normalised photo."""
        return self.folder / "photo.png"

    @property
    def source(self) -> NormalisedPhoto | Path:
        """What a job is made from: the photo as it is, or one to normalise again where its hash is not known."""
        return NormalisedPhoto(self.path, (self.width, self.height), self.sha256) if self.sha256 else self.path

    @property
    def named(self) -> tuple[NormalisedPhoto | Path, str]:
        """Return what a job is made from, and its name for people."""
        return self.source, self.name

    @property
    def view(self) -> Path:
        """Return the path of the small JPEG for the page."""
        return self.folder / "view.jpg"


class Photos:
    """The uploads of all logins. At most two are decoded at a time: an ordinary and a large one."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = settings.home / "uploads"
        self._starts = settings.home / "upload-starts"
        self._start = 0
        self._now = now
        self._lock = Lock()
        self._seen: dict[str, float] = {}
        """Folder's name: when this process first saw it."""
        self._lanes = [(Turns(), Decoder(limit)) for limit in DECODING_BYTES]

    async def add(self, source: Path, name: str, owner: str) -> Photo:
        """Keep an uploaded photo.

        Args:
            source: the uploaded file.
            name: of the photo, for people.
            owner: the login.

        Raises:
            BadInput: the file is no photo. Nothing is kept.
        """
        photo_id = secrets.token_hex(16)
        photo = Photo(photo_id, name, owner, 0, 0, self._folder / photo_id)
        try:
            await asyncio.to_thread(make_folder, photo.folder)
            found = await self._decode(source, photo)
            photo = replace(photo, width=found.width, height=found.height, notes=found.notes, sha256=found.sha256)
            photo = await asyncio.to_thread(self._describe, photo)
        except OSError as e:
            await asyncio.to_thread(self.remove, photo)
            raise StoreError(not_kept(self._folder, e)) from e
        except BaseException:
            await asyncio.to_thread(self.remove, photo)
            raise
        await asyncio.to_thread(self._clean, owner)
        return photo

    @asynccontextmanager
    async def arrival(self, name: str = "photo") -> AsyncIterator[Path]:
        """Return a path for a file during its upload: on the disk, as many files would fill the memory (or /tmp)."""
        try:
            folder = await asyncio.to_thread(self._arriving)
            try:
                yield Path(folder.name) / name
            finally:
                await asyncio.to_thread(folder.cleanup)
        except OSError as e:  # while it is written, too
            raise StoreError(not_kept(self._folder, e)) from e

    def _arriving(self) -> "tempfile.TemporaryDirectory[str]":
        make_folder(self._folder)
        return tempfile.TemporaryDirectory(dir=self._folder, prefix="arriving-", ignore_cleanup_errors=True)

    def remove(self, photo: Photo) -> None:
        """Delete a photo."""
        shutil.rmtree(photo.folder, ignore_errors=True)

    def close(self) -> None:
        """End the decoding processes."""
        for _, decoder in self._lanes:
            decoder.close()

    async def _decode(self, source: Path, photo: Photo) -> Decoded:
        ordinary, large = self._lanes
        with suppress(NeedsMemory):
            return await _decode_in_turn(*ordinary, source, photo)
        return await _decode_in_turn(*large, source, photo)

    def get(self, photo_id: str, owner: str) -> Photo:
        """Return a photo. Raise NotFound unless the id is this login's and is still kept."""
        photo = self._read(photo_id) if ID.fullmatch(photo_id) else None
        if photo is None or photo.owner != owner:
            raise NotFound(PHOTO_AWAY)
        return photo

    def _read(self, photo_id: str) -> Photo | None:
        folder = self._folder / photo_id
        if folder.is_symlink() or any(path.is_symlink() for path in folder.glob("*")):
            return None
        try:
            about = json.loads(read_patiently(folder / "about.json"))
            size = about["width"], about["height"]
            notes = tuple(map(Message.from_json, about.get("notes", ())))
            number, sha256, start = about.get("number", 0), about.get("sha256", ""), about.get("start", 0)
            return Photo(photo_id, about["name"], about["owner"], *size, folder, number, notes, sha256, start)
        except (OSError, ValueError, KeyError):
            return None

    def _kept(self) -> list[Photo]:
        return [photo for name in self._names() if (photo := self._read(name)) is not None]

    def _names(self) -> list[str]:
        try:
            return [entry.name for entry in self._folder.iterdir()]
        except OSError:
            return []

    def _clean(self, owner: str) -> None:
        """Remove photos first seen a day or KEEP_STARTS ago, and this login's oldest beyond the limit."""
        with self._lock:
            now = self._now()
            self._seen = {name: self._seen.get(name, now) for name in self._names()}
            gone = {name for name, seen in self._seen.items() if now - seen >= KEEP_SECONDS}
        there = self._kept()
        gone |= {photo.id for photo in there if self._start - photo.start >= KEEP_STARTS}
        mine = sorted((photo for photo in there if photo.owner == owner), key=lambda photo: -photo.number)
        for name in gone | {photo.id for photo in mine[MOST_KEPT:]}:
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def _describe(self, photo: Photo) -> Photo:
        """Number the photo after all others, and store its description."""
        with self._lock:
            self._start = self._start or self._count_start()
            number = 1 + max((one.number for one in self._kept()), default=0)
            photo = replace(photo, number=number, start=self._start)
            about = {
                "start": photo.start,
                "name": photo.name,
                "owner": photo.owner,
                "number": photo.number,
                "notes": [note.to_json() for note in photo.notes],
            }
            size = {"width": photo.width, "height": photo.height}
            write_json(photo.folder / "about.json", about | size | {"sha256": photo.sha256})
        return photo

    def _count_start(self) -> int:
        """Count this start of the page. Return its number, from 1."""
        number = 1
        with suppress(OSError, ValueError):
            number += int(read_patiently(self._starts))
        with suppress(OSError):
            write_whole(self._starts, str(number))
        return number


async def _decode_in_turn(turns: Turns, decoder: Decoder, source: Path, photo: Photo) -> Decoded:
    async with turns.turn(photo.owner):
        return await asyncio.to_thread(decoder.run, source, photo.name, photo.path, photo.view, VIEW_SIDE)


def keep_picture(path: Path, jpeg: bytes) -> Path | bytes:
    """Write a small picture into a job's folder; return itself where it cannot be written, as on a full disk.

    Raises:
        FileNotFoundError: The folder is gone.
    """
    try:
        write_whole(path, jpeg, folders=False)  # the job may be deleted meanwhile
    except FileNotFoundError:
        raise
    except OSError as e:
        log.debug("%s is not kept: %s", path, e)
        return jpeg
    return path


def make_poster(photo: Path, name: str = POSTER) -> Path | bytes:
    """Make a small JPEG beside a job's photo, once. It is deleted with the job's folder.

    Takes some 50 MB: make one at a time.

    Args:
        photo: The job's.
        name: Of the JPEG.

    Returns:
        Its path; the JPEG itself where it cannot be kept.

    Raises:
        NotFound: The photo is gone.
    """
    poster = photo.with_name(name)
    if photo.is_symlink() or photo.parent.is_symlink():
        raise NotFound(msg("there is no picture of this job"))
    if not poster.is_file():
        try:
            with Image.open(photo, formats=("PNG",)) as image:
                return keep_picture(poster, jpeg_view(image, POSTER_SIDE))
        except OSError as e:
            raise NotFound(msg("there is no picture of this job")) from e
    return poster


def clean_name(name: str) -> str:
    """Clean a photo's name for people: no folders, no control characters, a bounded length."""
    last = re.split(r"[\\/]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:NAME_LENGTH].strip() or "photo"
