"""Compute from a photo's header how much memory its decoding needs, so that small files cannot claim gigabytes."""

from PIL import Image

from ....errors import PhotoError
from ....messages import msg

FIXED = 105_000_000
"""Bytes of a process that decodes photos, whatever the photo: interpreter, libraries, three pictures as kept."""

BYTES_A_PIXEL = {
    "PNG": {"1": 1, "L": 1, "I;16": 16, "P": 5, "LA": 8, "RGB": 4, "RGBA": 8},
    "TIFF": {"1": 2, "L": 1, "I;16": 16, "I;16B": 16, "P": 5, "LA": 8, "RGB": 4, "RGBA": 8, "CMYK": 4, "LAB": 4},
    "BMP": {"1": 2, "L": 1, "P": 5, "RGB": 4, "RGBA": 8},
    "GIF": {"L": 1, "P": 5, "RGB": 4, "RGBA": 8},
    "HEIF": {"RGB": 5.6, "RGBA": 10},
    "AVIF": {"RGB": 8, "RGBA": 12},
    "WEBP": {"RGB": 16, "RGBA": 16},  # libwebp's animation decoder keeps two canvases of its own
}
"""Measured peaks (bench/photos.py) of what `load_photo` does, by Pillow's format and mode."""
OTHERWISE = 20.0
"""16 and 32 bits a channel: numpy works on 4 bytes a value, several times over."""
TURNED = 4.0
"""More for a photo that its EXIF data turns."""

ORIENTATION = 0x0112


class NeedsMemory(PhotoError):
    """Decoding the photo needs more memory than allowed."""


def check_memory(image: Image.Image, name: str, limit: int | None) -> None:
    """Raise NeedsMemory if decoding needs more than `limit` bytes. None: no limit, as on the command line."""
    if limit is None:
        return
    needed = decoding_bytes(image)
    if needed > limit:
        raise NeedsMemory(
            msg(
                "{name} takes about {mb} MB of memory to open ({width} × {height} pixels, {format}), more than "
                "{limit} MB; save it smaller, or as JPEG",
                name=name,
                mb=round(needed / 1e6),
                width=image.width,
                height=image.height,
                format=image.format,
                limit=round(limit / 1e6),
            )
        )


def decoding_bytes(image: Image.Image) -> int:
    """Return the peak memory in bytes of a process that decodes the opened, not yet loaded image."""
    pixels = image.width * image.height
    if image.format in ("JPEG", "MPO"):
        # Decoded at 1/2, 1/4 or 1/8, so never at many more pixels than are kept; but libjpeg holds all coefficients
        # (2 bytes each) of a progressive one.
        coefficients = 2 * len(image.getbands()) if "progressive" in image.info else 0
        return int(FIXED + coefficients * pixels + 6 * min(pixels, 4 * 1536 * 2731))
    each = BYTES_A_PIXEL.get(image.format or "", {}).get(image.mode, OTHERWISE)
    if _is_turned(image):
        each += TURNED
    return int(FIXED + each * pixels)


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION, 1) != 1
    except Exception:  # EXIF is free-form bytes: struct.error, KeyError, SyntaxError, TypeError, …
        return False
