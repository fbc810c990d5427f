"""The photo of a job: brought to a PNG of bounded size once, on entry, and only linked and opened from then on."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from ...errors import PhotoError
from ...fs import commit, link_or_copy, part_path
from ...messages import msg

# `photo.load` imports numpy, which most commands do not need.


@dataclass(frozen=True)
class NormalisedPhoto:
    """A PNG as `load.save_photo` writes it: RGB, upright, sRGB, without metadata.

    Attributes:
        path: the file.
        size: width and height in pixels; (0, 0) where an earlier version did not write it down.
        sha256: of the file's bytes, in hexadecimal; "" where an earlier version did not write it down.
    """

    path: Path
    size: tuple[int, int] = (0, 0)
    sha256: str = ""

    @classmethod
    def write(cls, image: Image.Image, path: Path) -> "NormalisedPhoto":
        """Write what `read_photo` gave. Raise StoreError when the folder cannot be written."""
        from .photo.load import save_photo

        return cls(path, image.size, save_photo(image, path))

    def place(self, path: Path, name: str) -> "NormalisedPhoto":
        """Give the photo a second name, by a hard link where the disk has them, else by a copy; durable on return.

        The file is hashed for it, which takes a hundredth of what decoding it does.

        Args:
            path: the second name, in a folder that is there.
            name: what the person calls the photo, for the messages.

        Raises:
            PhotoError: the file is gone, or not what was written there.
            OSError: it could not be done; nothing is left then.
        """
        part = part_path(path)
        try:
            link_or_copy(self.path, part)
            if _hash(part) != self.sha256:
                from .photo.load import damaged

                raise PhotoError(damaged(name))
            commit(part, path)
        except FileNotFoundError as e:
            raise PhotoError(msg("there is no file {name}; check the name", name=self.path)) from e
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        return replace(self, path=path)

    def open(self) -> Image.Image:
        """Return the pixels as RGB. A file that is no such PNG is read as any photo is. Raise PhotoError."""
        try:
            with Image.open(self.path, formats=("PNG",)) as image:
                if image.mode == "RGB" and image.size == self.size:
                    image.load()
                    return image.copy()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            pass  # the way for all photos says what is wrong
        from .photo.load import load_photo

        return load_photo(self.path)

    def digest(self) -> str:
        """Return `sha256`, from the file where it was not written down. Raise OSError."""
        return self.sha256 or _hash(self.path)

    def to_json(self) -> dict[str, Any]:
        """Return size and hash for storing; the path is known from where they are stored."""
        return {"width": self.size[0], "height": self.size[1], "sha256": self.sha256}

    @classmethod
    def from_json(cls, path: Path, data: dict[str, Any]) -> "NormalisedPhoto":
        """Read what `to_json` gave; what is missing counts as not written down. Raise ValueError or TypeError."""
        size = int(data.get("width", 0)), int(data.get("height", 0))
        return cls(path, size, str(data.get("sha256", "")))


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
