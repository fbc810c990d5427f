"""Photos on their way to a job: uploaded, normalised and shown, until Generate or a day has passed.

The browser gets an id, never a path. An id opens only for the login that uploaded it.
"""

import io
import json
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ..errors import NotFound, StoreError
from ..fs import make_folder, write_json, write_whole
from ..pipeline.photo import load_photo, save_photo
from ..settings import Settings

KEEP_SECONDS = 24 * 3600
MOST_KEPT = 200
"""Photos of one login; the oldest go first."""
VIEW_SIDE = 1280
"""Pixels of the longer side of the picture that the page shows."""
POSTER_SIDE = 480
ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Photo:
    """width, height: of the normalised photo, in pixels."""

    id: str
    name: str
    owner: str
    width: int
    height: int
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "photo.png"

    @property
    def view(self) -> Path:
        return self.folder / "view.jpg"


class Photos:
    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "uploads"

    def add(self, data: bytes, name: str, owner: str) -> Photo:
        """Raise BadInput when it is not a photo; nothing is kept then."""
        image = load_photo(data, name)
        photo_id = secrets.token_hex(16)
        photo = Photo(photo_id, name, owner, image.width, image.height, self._folder / photo_id)
        try:
            make_folder(photo.folder)
            save_photo(image, photo.path)
            _save_view(image, photo.view)
            about = {"name": name, "owner": owner, "width": image.width, "height": image.height}
            write_json(photo.folder / "about.json", about)
        except OSError as e:
            shutil.rmtree(photo.folder, ignore_errors=True)
            raise StoreError(f"the photo cannot be kept in {self._folder}: {e.strerror or e}") from e
        except BaseException:
            shutil.rmtree(photo.folder, ignore_errors=True)
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
            return Photo(photo_id, about["name"], about["owner"], about["width"], about["height"], folder)
        except (OSError, ValueError, KeyError):
            return None

    def _clean(self, owner: str) -> None:
        """Remove what is older than a day, and this login's oldest beyond the limit."""
        try:
            dated = sorted(((folder.stat().st_mtime, folder) for folder in self._folder.iterdir()), reverse=True)
        except OSError:
            return  # another request is cleaning at the same moment
        kept = 0
        for modified, folder in dated:
            photo = self._read(folder.name)
            mine = photo is not None and photo.owner == owner
            kept += mine
            if time.time() - modified > KEEP_SECONDS or (mine and kept > MOST_KEPT):
                shutil.rmtree(folder, ignore_errors=True)


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
