"""Find the photos that were named: files, and folders of them."""

import os
from pathlib import Path

from ..errors import BadInput
from ..messages import msg
from ..settings import SHOWN


def find_photos(named: list[Path]) -> list[Path]:
    """Replace each folder by the photos in it, in the order of their names. Other files in it are left out.

    Args:
        named: Files and folders. A file is taken as it is, whatever it is called; one that is missing, too.

    Returns:
        Files.

    Raises:
        BadInput: A folder holds no photo or cannot be read.
    """
    found: list[Path] = []
    for path in named:
        found += _photos_in(path) if os.path.isdir(path) else [path]  # unlike Path.is_dir false for a too long name
    return found


def _photos_in(folder: Path) -> list[Path]:
    shown = str(folder)[-SHOWN:]  # the end tells more
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as e:
        raise BadInput(
            msg("the folder {folder} cannot be read: {error}; check its rights", folder=shown, error=e.strerror)
        ) from e
    suffixes = _suffixes()
    photos = [path for path in files if path.suffix.lower() in suffixes]
    if not photos:
        raise BadInput(
            msg(
                "the folder {folder} holds no photo; name photos, or a folder with JPEG, PNG, WebP, HEIC, AVIF, TIFF, "
                "BMP or GIF files",
                folder=shown,
            )
        )
    return photos


def _suffixes() -> set[str]:
    from PIL import Image

    from ..pipeline.media.photo.load import FORMATS  # with Pillow's plug-ins, HEIC's among them

    return {suffix for suffix, name in Image.registered_extensions().items() if name in FORMATS} | {".jfif"}
