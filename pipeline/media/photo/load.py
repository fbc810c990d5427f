"""Load any supported photo as an upright, size-limited sRGB picture, or raise PhotoError."""

import hashlib
import io
import logging
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, NamedTuple, cast

from PIL import Image, UnidentifiedImageError

from ....errors import PhotoError, StoreError
from ....fs import commit, part_path
from ....messages import Message, msg, template
from .bmp import read_bmp
from .colour import SRGB
from .decode_memory import check_memory
from .heif import read_colours
from .jpeg import open_jpeg, read_jpeg
from .normalise import MIN_SIDE, bare, normalise
from .photo_file import PhotoFile
from .png import read_png
from .tiff import as_black_is_zero, check_kind, is_raw, mend_planes, read_tags, unknown_kind

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP", "GIF")
"""The only decoders that open uploaded files; MPO (two-lens JPEG) is opened by JPEG's."""

NAMES = "JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF"

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 120_000_000
"""Checked in the header before anything is decoded. 108-megapixel phones pass."""

MAX_ASPECT = 8.0
"""Long side over short side. The widest phone panoramas have 4 to 6."""


class Photo(NamedTuple):
    """A normalised photo.

    Attributes:
        image: RGB, upright, sRGB, without metadata.
        notes: About what the file lacks, for the user.
    """

    image: Image.Image
    notes: tuple[Message, ...] = ()


_one_at_a_time = Lock()
"""A process's threads decode one after the other: together they would need the memory of all."""


def load_photo(source: Path | bytes, name: str = "") -> Image.Image:
    """Read a photo as `read_photo` does, without its notes."""
    return read_photo(source, name).image


def read_photo(source: Path | bytes, name: str = "", memory: int | None = None) -> Photo:
    """Read a photo as RGB: upright, sRGB, transparency over white, the first frame of an animation, no metadata.

    Args:
        source: a file or its bytes.
        name: for messages; by default the file's name.
        memory: bytes that this process may use to decode it; None for no limit.

    Returns:
        A photo of at least 64 pixels on each side and at most 1536 × 4096.

    Raises:
        PhotoError: the file cannot be used. NeedsMemory if decoding would exceed `memory`.
    """
    name = name or (source.name if isinstance(source, Path) else "the photo")
    data = source if isinstance(source, bytes) else _read(source, name)
    _check_bytes(data, name)
    if Path(name).suffix.lower() in RAW_SUFFIXES or data.startswith(RAW_SIGNATURES) or data[4:12] == b"ftypcrx ":
        raise PhotoError(_raw(name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata and Pillow's own, lower size limit; ours is checked next
            with _one_at_a_time:
                return _decode(data, name, memory)
    except PhotoError:
        raise
    except Image.DecompressionBombError as e:
        raise PhotoError(
            msg(
                "{name} has too many pixels (at most {most} million); save it smaller",
                name=name,
                most=MAX_PIXELS // 10**6,
            )
        ) from e
    except UnidentifiedImageError as e:
        raise PhotoError(_not_a_photo(data, name)) from e
    except MemoryError as e:
        raise PhotoError(
            msg("there is not enough memory to open {name}; save it smaller and try again", name=name)
        ) from e
    except Exception as e:  # a decoder may raise anything on a broken file: OSError, struct.error, IndexError, …
        log.info("%s cannot be decoded: %r", name, e)
        raise PhotoError(damaged(name)) from e


def _decode(data: bytes, name: str, memory: int | None) -> Photo:
    """Open it as the format that its first bytes name. Raise PhotoError, or any error of a decoder."""
    if data.startswith(b"\xff\xd8\xff"):
        file = read_jpeg(data, name)
        with open_jpeg(file.data) as image:
            return _photo(image, file, name, memory)
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return _decode_tiff(data, name, memory)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        file = read_png(data)
    elif data.startswith(b"BM"):
        file = read_bmp(data)
    else:
        colours = read_colours(data) if data[4:8] == b"ftyp" else None
        file = PhotoFile(data, colours, deep=colours is not None and colours.transfer != SRGB)
        _register_heif()
    with Image.open(io.BytesIO(file.data), formats=FORMATS) as image:
        return _photo(image, file, name, memory)


def _decode_tiff(data: bytes, name: str, memory: int | None) -> Photo:
    tags = read_tags(data)
    if is_raw(data, tags):
        raise PhotoError(_raw(name))
    check_kind(tags, name)
    try:
        opened = Image.open(io.BytesIO(as_black_is_zero(data, tags)), formats=("TIFF",))
    except UnidentifiedImageError as e:
        raise unknown_kind(tags, name) from e
    with opened as image:
        mend_planes(image, tags)

        def grey() -> Image.Image:
            from .values.grey import tiff_grey  # with numpy, which few photos need

            return tiff_grey(image, tags, name)

        return _photo(image, PhotoFile(data, grey=grey), name, memory)


def _photo(image: Image.Image, file: PhotoFile, name: str, memory: int | None) -> Photo:
    _check_size(image.width, image.height, max(MAX_PIXELS, file.most_pixels), name)
    check_memory(image, name, memory)
    return Photo(*normalise(image, file, name))


class _Hashing:
    """A file to write to that hashes what is written, so that it need not be read again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.flush = file.flush

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def save_photo(image: Image.Image, path: Path) -> str:
    """Write a PNG without metadata, atomically.

    Returns:
        The SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        StoreError: the folder is not writable.
    """
    part = part_path(path)
    try:
        with open(part, "wb") as file:
            hashing = _Hashing(file)
            bare(image).save(cast(IO[bytes], hashing), format="PNG", compress_level=1)
        commit(part, path)
        return hashing.hexdigest()
    except OSError as e:
        raise StoreError(
            msg(
                "the photo cannot be written to {folder}: {error}; free or choose that folder",
                folder=path,
                error=e.strerror or e,
            )
        ) from e
    finally:
        with suppress(OSError):  # Windows, held open: the error must not be hidden by this one
            part.unlink(missing_ok=True)


def jpeg_view(image: Image.Image, side: int) -> bytes:
    """Return a small JPEG of a photo, for pages. side: pixels of its longer side, at most."""
    view = image.copy()
    view.thumbnail((side, side), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    view.save(written, format="JPEG", quality=85)
    return written.getvalue()


def _read(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise PhotoError(msg("{name} is a folder; choose one photo in it", name=path))
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as e:
        raise PhotoError(msg("there is no file {name}; check the name", name=path)) from e
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        raise PhotoError(
            msg(
                "{name} cannot be read: {error}; choose another file",
                name=name,
                error=getattr(e, "strerror", None) or e,
            )
        ) from e


def _check_bytes(data: bytes, name: str) -> None:
    if not data:
        raise PhotoError(msg("{name} is empty (0 bytes); choose another file or copy it again", name=name))
    if len(data) > MAX_BYTES:
        raise PhotoError(
            msg("{name} is larger than {mb} MB; save it smaller, for example as JPEG", name=name, mb=MAX_BYTES >> 20)
        )


def _check_size(width: int, height: int, most: int, name: str) -> None:
    size = {"name": name, "width": width, "height": height}
    if width * height > most:
        raise PhotoError(
            msg(
                "{name} is {width} × {height} pixels, more than {most} million in all; save it smaller",
                **size,
                most=most // 10**6,
            )
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        shape = msg("narrow") if width < height else msg("flat")
        raise PhotoError(
            msg(
                "{name} is {width} × {height} pixels, too {shape} for a video; crop it to at most {most:.0f} : 1",
                **size,
                shape=shape,
                most=MAX_ASPECT,
            )
        )
    if min(width, height) < MIN_SIDE:
        raise PhotoError(
            msg(
                "{name} is {width} × {height} pixels, too small; choose one with at least {least} pixels on each side",
                **size,
                least=MIN_SIDE,
            )
        )


A_VIDEO = template("{name} is a video; choose a photo, or save one frame of it as a picture")
SIGNATURES = {
    b"%PDF": template("{name} is a PDF document; save the page as a picture"),
    b"8BPS": template("{name} is a Photoshop file; export it as JPEG or PNG"),
    b"\x00\x00\x01\x00": template("{name} is an icon; choose a photo"),
    b"PK\x03\x04": template("{name} is an archive or an office document; choose the photo itself"),
    b"\x1aE\xdf\xa3": A_VIDEO,
    b"%!PS": template("{name} is a PostScript file; save it as a picture"),
}
"""What the first bytes of a file that is no photo say of it."""
RAW_SUFFIXES = {
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef", ".mos"),
    *(".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
}
"""Of camera raw files. Most are TIFF inside, so that a decoder takes their thumbnail for the photo."""
RAW_SIGNATURES = (b"FUJIFILMCCD-RAW", b"\0MRM", b"FOVb", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR")


def _raw(name: str) -> Message:
    return msg("{name} is a camera's raw file; develop it and save it as JPEG", name=name)


def damaged(name: str) -> Message:
    """Return the sentence for a photo whose bytes are not what they were."""
    return msg("{name} is damaged or incomplete; open it in a picture viewer and save it again", name=name)


def _not_a_photo(data: bytes, name: str) -> Message:
    """Make the message for undecodable bytes; it names the file type if its signature is known."""
    head = data[:1024].lstrip().lower()
    for signature, what in SIGNATURES.items():
        if data.startswith(signature):
            return Message(what, {"name": name})
    if b"<svg" in head:
        return msg("{name} is a drawing (SVG); export it as PNG", name=name)
    if b"<html" in head or b"<!doctype html" in head:
        return msg("{name} is a web page; save the picture itself, not the page around it", name=name)
    brand = data[4:12]
    if brand.startswith(b"ftyp") and brand[4:8] not in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"hevc"):
        return Message(A_VIDEO, {"name": name})
    if _looks_like_a_photo(data):
        return damaged(name)
    return msg("{name} is not a photo that can be read; choose a {formats} file", name=name, formats=NAMES)


def _looks_like_a_photo(data: bytes) -> bool:
    starts = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
    return data.startswith(starts) or data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


@cache
def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
