"""Read JPEG segments: the kind, whether the end is there, and how much of the picture is missing if not."""

import io
import re
from collections.abc import Iterator

from PIL import Image, JpegImagePlugin

from ....errors import PhotoError
from ....messages import msg
from .photo_file import PhotoFile

END, SCAN, ALONE = 0xD9, 0xDA, 0x01
END_MARKER = bytes((0xFF, END))
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""In the compressed data: what is neither a stuffed zero, nor padding, nor a restart."""

MOST_PIXELS = 300_000_000
"""Of a JPEG whose rows are decoded one after the other, reduced to a half or less. 200-megapixel phones pass."""

SEQUENTIAL = (0xC0, 0xC1, 0xC9)
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
FILLER = b"\x55" * 256


def read_jpeg(data: bytes, name: str) -> PhotoFile:
    """Read the segments. A missing end marker is added. Raise PhotoError for unsupported kinds."""
    most, kind = 0, 0
    for kind, body in _segments(data):
        if kind in FRAMES:
            if body[:1] not in (b"", b"\x08"):
                raise PhotoError(
                    msg("{name} is a JPEG with {bits} bits a channel; save it with 8", name=name, bits=body[0])
                )
            most = MOST_PIXELS if kind in SEQUENTIAL else 0  # a progressive one is held whole, whatever size is asked
    if kind == END:
        return PhotoFile(data, most_pixels=most)
    return PhotoFile(data.rstrip(b"\xff") + END_MARKER, cut=True, most_pixels=most)


def open_jpeg(data: bytes) -> JpegImagePlugin.JpegImageFile:
    """Open a JPEG as `Image.open` does, without its limit of 179 million pixels."""
    return JpegImagePlugin.JpegImageFile(io.BytesIO(data))


def missing_share(image: Image.Image, data: bytes, asked: tuple[int, int]) -> float:
    """Return the share of rows (0 to 1) that a truncated JPEG lacks.

    Where the data end, the decoder continues with grey. With other data appended, the first missing row changes.

    Args:
        image: `data`, decoded.
        data: the file.
        asked: the size (pixels) that `Image.draft` was given. Its result, rounded up, may lead to another one.
    """
    import numpy as np  # few photos lack something

    with open_jpeg(data.removesuffix(END_MARKER) + FILLER + END_MARKER) as other:
        other.draft(None, asked)
        other.load()
        changed = (np.asarray(image) != np.asarray(other)).reshape(image.height, -1).any(axis=1)
    if not changed.any():
        return 0.0
    lost = _lost_bits(data)
    if lost is None:
        return float(1 - np.flatnonzero(changed)[0] / len(changed))
    return 0.0 if lost <= 1 else 1.0


def _lost_bits(data: bytes) -> int | None:
    """Return how many low bits of a coefficient a truncated progressive JPEG lacks at most; None for a sequential one.

    Its scans first hold the high bits of the whole picture. What the last, truncated scan should hold counts as lost.
    """
    missing: dict[int, list[int]] = {}
    scans = []
    for kind, body in _segments(data):
        if kind in SEQUENTIAL:
            return None
        if kind in FRAMES:
            missing = {number: [8] * 64 for number in body[6::3]}
        elif kind == SCAN:
            scans.append(body)
    for body in scans[:-1]:
        first, last, bits = body[-3], body[-2], body[-1] & 15
        for number in body[1 : 1 + 2 * body[0] : 2]:
            missing.get(number, [8] * 64)[first : last + 1] = [bits] * (last + 1 - first)
    return max((bits for coefficients in missing.values() for bits in coefficients), default=8)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, content without its length) up to the end marker, or to the end of the data."""
    at = 2
    while found := MARKER.search(data, at):
        kind, at = data[found.start() + 1], found.end()
        length = 0 if kind in (END, ALONE) else int.from_bytes(data[at : at + 2], "big")
        yield kind, data[at + 2 : at + length]
        if kind == END:
            return
        at += length
