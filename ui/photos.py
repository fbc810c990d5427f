"""Photos on their way to a job: uploaded, normalised and shown, until the page has run for a day with them.

No wall clock takes part: it may be set while somebody fills in the form. Which photo is older is said by a number.

The browser gets an id, never a path. An id opens only for the login that uploaded it.
"""

import io
import json
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ..errors import NotFound, StoreError
from ..fs import make_folder, write_json, write_whole
from ..pipeline.photo import load_photo, save_photo
from ..settings import Settings

KEEP_SECONDS = 24 * 3600
"""On this process's own monotonic clock, since it first saw the photo."""
MOST_KEPT = 200
"""Photos of one login; the oldest go first."""
VIEW_SIDE = 1280
"""Pixels of the longer side of the picture that the page shows."""
POSTER_SIDE = 480
ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Photo:
    """width, height: of the normalised photo, in pixels. number: grows with every upload."""

    id: str
    name: str
    owner: str
    width: int
    height: int
    folder: Path
    number: int = 0

    @property
    def path(self) -> Path:
        return self.folder / "photo.png"

    @property
    def view(self) -> Path:
        return self.folder / "view.jpg"


class Photos:
    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = settings.home / "uploads"
        self._now = now
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        """Folder's name: when this process first saw it."""

    def add(self, data: bytes, name: str, owner: str) -> Photo:
        """Raise BadInput when it is not a photo; nothing is kept then."""
        image = load_photo(data, name)
        photo_id = secrets.token_hex(16)
        folder = self._folder / photo_id
        try:
            make_folder(folder)
            number = 1 + max((photo.number for photo in self._kept()), default=0)
            photo = Photo(photo_id, name, owner, image.width, image.height, folder, number)
            save_photo(image, photo.path)
            _save_view(image, photo.view)
            about = {"name": name, "owner": owner, "width": image.width, "height": image.height, "number": number}
            write_json(folder / "about.json", about)
        except OSError as e:
            shutil.rmtree(folder, ignore_errors=True)
            raise StoreError(f"the photo cannot be kept in {self._folder}: {e.strerror or e}") from e
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._clean(owner)
        return photo

    def get(self, photo_id: str, owner: str) -> Photo:
        """Raise NotFound for anything but an id of this login that is still kept."""
        photo = self._read(photo_id) if ID.fullmatch(photo_id) else None
        if photo is None or photo.owner != owner:
            raise NotFound("this photo is not here any more; choose it again")
        return photo

    def _read(self, photo_id: str) -> Photo | None:
        folder = self._folder / photo_id
        if folder.is_symlink() or any(path.is_symlink() for path in folder.glob("*")):
            return None
        try:
            about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
            size = about["width"], about["height"]
            return Photo(photo_id, about["name"], about["owner"], *size, folder, about.get("number", 0))
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
        """Remove what was seen a day ago, and this login's oldest beyond the limit."""
        with self._lock:
            now = self._now()
            self._seen = {name: self._seen.get(name, now) for name in self._names()}
            gone = {name for name, seen in self._seen.items() if now - seen >= KEEP_SECONDS}
        mine = sorted((photo for photo in self._kept() if photo.owner == owner), key=lambda photo: -photo.number)
        for name in gone | {photo.id for photo in mine[MOST_KEPT:]}:
            shutil.rmtree(self._folder / name, ignore_errors=True)


def make_poster(photo: Path) -> Path:
    """A small JPEG beside a job's photo, made once; it goes with the job's folder."""
    poster = photo.with_name("poster.jpg")
    if photo.is_symlink() or photo.parent.is_symlink():
        raise NotFound("there is no picture of this job")
    if not poster.is_file():
        try:
            with Image.open(photo, formats=("PNG",)) as image:
                _save_view(image, poster, POSTER_SIDE)
        except OSError as e:
            raise NotFound("there is no picture of this job") from e
    return poster


def _save_view(image: Image.Image, path: Path, side: int = VIEW_SIDE) -> None:
    view = image.copy()
    view.thumbnail((side, side), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    view.save(written, format="JPEG", quality=85)
    write_whole(path, written.getvalue())
