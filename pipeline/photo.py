"""From whatever somebody calls a photo to an upright sRGB picture of a bounded size, or one sentence why not."""

import io
import logging
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import BadInput, StoreError
from ..fs import commit, part_path
from .photo_memory import check_memory

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "TIFF", "BMP", "GIF")
"""The only decoders that ever see a stranger's bytes; MPO (two-lens JPEG) is opened by JPEG's."""

NAMES = "JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF"

MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 120_000_000
"""Checked in the header before anything is decoded. 108-megapixel phones pass."""

MIN_SIDE = 64
"""Pixels. Below, there is nothing to animate."""

MAX_ASPECT = 8.0
"""Long side over short side. The widest phone panoramas have 4 to 6."""

SHORT_SIDE, LONG_SIDE = 1536, 4096
"""Pixels; larger photos are reduced. A square 1080p clip has 1440 × 1440."""


_one_at_a_time = Lock()
"""A process's threads decode one after the other: together they would need the memory of all."""


def load_photo(source: Path | bytes, name: str = "", memory: int | None = None) -> Image.Image:
    """Return the photo as RGB: upright, sRGB, transparency over white, the first frame of an animation.

    source: a file or its bytes. name: what the person calls it, for the messages; a path has its own.
    memory: bytes that this process may have while it decodes; NeedsMemory (a BadInput) for a photo that takes more.
    At least 64 pixels on each side, at most 1536 × 4096; without metadata. Raise BadInput with one sentence.
    """
    name = name or (source.name if isinstance(source, Path) else "the photo")
    data = source if isinstance(source, bytes) else _read(source, name)
    _check_bytes(data, name)
    _register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata and Pillow's own, lower size limit; ours is checked next
            with _one_at_a_time, Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image.width, image.height, name)
                check_memory(image, name, memory)
                return _normalise(image, name)
    except BadInput:
        raise
    except Image.DecompressionBombError as e:
        raise BadInput(f"{name} has too many pixels (at most {MAX_PIXELS // 10**6} million); save it smaller") from e
    except UnidentifiedImageError as e:
        raise BadInput(_not_a_photo(data, name)) from e
    except MemoryError as e:
        raise BadInput(f"there is not enough memory to open {name}; save it smaller and try again") from e
    except Exception as e:  # a decoder may raise anything on a broken file: OSError, struct.error, IndexError, …
        log.info("%s cannot be decoded: %r", name, e)
        raise BadInput(f"{name} is damaged or incomplete; open it in a picture viewer and save it again") from e


def save_photo(image: Image.Image, path: Path) -> None:
    """Write a PNG without metadata, in one move. Raise StoreError when the folder cannot be written."""
    part = part_path(path)
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    try:
        bare.save(part, format="PNG", compress_level=1)
        commit(part, path)
    except OSError as e:
        raise StoreError(f"the photo cannot be written to {path}: {e.strerror or e}; free or choose that folder") from e
    finally:
        with suppress(OSError):  # Windows, held open: the error must not be hidden by this one
            part.unlink(missing_ok=True)


def jpeg_view(image: Image.Image, side: int) -> bytes:
    """A small JPEG of a photo, for pages. side: pixels of its longer side, at most."""
    view = image.copy()
    view.thumbnail((side, side), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    view.save(written, format="JPEG", quality=85)
    return written.getvalue()


def _read(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise BadInput(f"{path} is a folder; choose one photo in it")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as e:
        raise BadInput(f"there is no file {path}; check the name") from e
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        raise BadInput(f"{name} cannot be read: {getattr(e, 'strerror', None) or e}; choose another file") from e


def _check_bytes(data: bytes, name: str) -> None:
    if not data:
        raise BadInput(f"{name} is empty (0 bytes); choose another file or copy it again")
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name} is larger than {MAX_BYTES >> 20} MB; save it smaller, for example as JPEG")


def _check_size(width: int, height: int, name: str) -> None:
    size = f"{name} is {width} × {height} pixels"
    if width * height > MAX_PIXELS:
        raise BadInput(f"{size}, more than {MAX_PIXELS // 10**6} million in all; save it smaller")
    if max(width, height) > MAX_ASPECT * min(width, height):
        shape = "narrow" if width < height else "flat"
        raise BadInput(f"{size}, too {shape} for a video; crop it to at most {MAX_ASPECT:.0f} : 1")
    if min(width, height) < MIN_SIDE:
        raise BadInput(f"{size}, too small; choose one with at least {MIN_SIDE} pixels on each side")


SIGNATURES = {
    b"%PDF": "a PDF document; save the page as a picture",
    b"8BPS": "a Photoshop file; export it as JPEG or PNG",
    b"\x00\x00\x01\x00": "an icon; choose a photo",
    b"PK\x03\x04": "an archive or an office document; choose the photo itself",
    b"\x1aE\xdf\xa3": "a video; choose a photo, or save one frame of it as a picture",
    b"%!PS": "a PostScript file; save it as a picture",
}
RAW_SUFFIXES = {".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw"}


def _not_a_photo(data: bytes, name: str) -> str:
    """The sentence for bytes that no decoder took; it names what they are where that is easy to see."""
    head = data[:1024].lstrip().lower()
    if Path(name).suffix.lower() in RAW_SUFFIXES:
        return f"{name} is a camera's raw file; develop it and save it as JPEG"
    for signature, what in SIGNATURES.items():
        if data.startswith(signature):
            return f"{name} is {what}"
    if b"<svg" in head:
        return f"{name} is a drawing (SVG); export it as PNG"
    if b"<html" in head or b"<!doctype html" in head:
        return f"{name} is a web page; save the picture itself, not the page around it"
    brand = data[4:12]
    if brand.startswith(b"ftyp") and brand[4:8] not in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis", b"hevc"):
        return f"{name} is a video; choose a photo, or save one frame of it as a picture"
    if _looks_like_a_photo(data):
        return f"{name} is damaged or incomplete; open it in a picture viewer and save it again"
    return f"{name} is not a photo that can be read; choose a {NAMES} file"


def _looks_like_a_photo(data: bytes) -> bool:
    starts = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
    return data.startswith(starts) or data[4:8] == b"ftyp" or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


@cache
def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def _normalise(image: Image.Image, name: str) -> Image.Image:
    """Decode and bring to RGB. Reduced as early as the mode allows, so that a large photo costs little memory."""
    target = _bounded(image.size)
    profile = image.info.get("icc_profile")
    image.draft(None, target)  # JPEG only: decode at 1/2, 1/4 or 1/8
    image.load()
    upright = _upright(image)
    target = _bounded(upright.size)
    picture = _eight_bit(upright)
    if picture.size != target:
        picture = picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    alpha = None
    if picture.mode in ("RGBA", "LA"):
        alpha = picture.getchannel("A")
        if alpha.getextrema() == (0, 0):
            raise BadInput(f"{name} is completely transparent; choose a photo with something on it")
        picture = picture.convert(picture.mode[:-1])
    rgb = _to_srgb(picture, profile)
    if alpha is not None:
        white = Image.new("RGB", rgb.size, "white")
        white.paste(rgb, mask=alpha)
        rgb = white
    bare = Image.new("RGB", rgb.size)
    bare.paste(rgb)  # a new image has no EXIF, XMP, comments or profile to carry along
    return bare


def _bounded(size: tuple[int, int]) -> tuple[int, int]:
    """The size (pixels) reduced to fit SHORT_SIDE and LONG_SIDE, never enlarged."""
    short, long = sorted(size)
    scale = min(1.0, SHORT_SIDE / short, LONG_SIDE / long)
    width, height = (max(MIN_SIDE, round(side * scale)) for side in size)
    return width, height


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation. A photo with broken EXIF is taken as it lies."""
    try:
        ImageOps.exif_transpose(image, in_place=True)  # no copy of one that lies upright
    except Exception as e:  # EXIF is free-form bytes: struct.error, KeyError, SyntaxError, TypeError, …
        log.info("EXIF ignored: %r", e)
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring any of Pillow's modes to L, LA, RGB, RGBA, CMYK or LAB with 8 bits a channel."""
    if image.mode.startswith(("I", "F")):
        return _scaled_grey(np.asarray(image))
    if image.mode == "PA" or (image.mode not in ("RGBA", "LA") and image.has_transparency_data):
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled_grey(values: np.ndarray) -> Image.Image:
    """16-bit, 32-bit or float grey to L. Pillow's own conversion clips at 255, which turns such photos white."""
    grey = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(grey.max(initial=0.0))
    if values.dtype == np.uint16:
        white = 65535.0
    elif values.dtype.kind == "f":
        white = 1.0 if top <= 1.0 else 255.0 if top <= 255.0 else top
    else:
        white = 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
    return Image.fromarray(np.clip(grey * (255.0 / white) + 0.5, 0, 255).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the embedded ICC profile; without one, or with a broken one, by Pillow's plain formulas."""
    if image.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return _converted(image, source)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as e:
            log.info("colour profile ignored: %s", e)
    return image.convert("RGB")


def _converted(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    profile: Any = source.profile  # Pillow's stub says it is a file
    space = profile.xcolor_space.strip()
    if space == "GRAY" and image.mode != "L":
        image = image.convert("L")
    elif space == "RGB" and image.mode == "L":
        image = image.convert("RGB")  # a grey PNG may carry an RGB profile
    target = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    result = ImageCms.profileToProfile(image, source, target, renderingIntent=intent, outputMode="RGB", flags=flags)
    return result if result is not None else image.convert("RGB")
