"""Represent a job's photo: converted once, on entry, to a PNG of bounded size, and only linked and opened later."""

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
    """A PNG written by `load.save_photo`: RGB, upright, sRGB, without metadata.

    Attributes:
        path: The file.
        size: Width and height in pixels; (0, 0) if an earlier version did not store it.
        sha256: Of the file's bytes, in hexadecimal; "" if an earlier version did not store it.
    """

    path: Path
    size: tuple[int, int] = (0, 0)
    sha256: str = ""

    @classmethod
    def write(cls, image: Image.Image, path: Path) -> "NormalisedPhoto":
        """Write the image of `read_photo`. Raise StoreError if the folder is not writable."""
        from .photo.load import save_photo

        return cls(path, image.size, save_photo(image, path))

    def place(self, path: Path, name: str) -> "NormalisedPhoto":
        """Give the photo a second name, by a hard link or else by a copy; durable on return.

        The file is hashed first, which takes a hundredth of the time of decoding it.

        Args:
            path: The second name, in an existing folder.
            name: The photo's name for messages.

        Raises:
            PhotoError: The file is gone or damaged.
            OSError: It cannot be linked or copied; nothing is left then.
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
        """Return the pixels as RGB. Any other photo in its place is read like an upload. Raise PhotoError."""
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
        """Return `sha256`, computed if it was not stored. Raise OSError."""
        return self.sha256 or _hash(self.path)

    def to_json(self) -> dict[str, Any]:
        """Return size and hash for storing; the path follows from where they are stored."""
        return {"width": self.size[0], "height": self.size[1], "sha256": self.sha256}

    @classmethod
    def from_json(cls, path: Path, data: dict[str, Any]) -> "NormalisedPhoto":
        """Read the result of `to_json`; missing values count as not stored. Raise ValueError or TypeError."""
        size = int(data.get("width", 0)), int(data.get("height", 0))
        return cls(path, size, str(data.get("sha256", "")))


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
