"""Read the colours that the newer headers of a BMP name."""

import struct
from collections.abc import Sequence

from .colour import Colours, Point
from .photo_file import PhotoFile

HEAD, V4, V5 = 14, 108, 124
"""Bytes: the file's header, and the smallest of each newer one after it."""
CALIBRATED, EMBEDDED = 0, b"DEBM"


def read_bmp(data: bytes) -> PhotoFile:
    """Read a BMP's colours: endpoints and gamma (version 4), or an embedded ICC profile (version 5)."""
    (size,) = struct.unpack("<I", data[HEAD : HEAD + 4].ljust(4, b"\0"))
    header = data[HEAD : HEAD + size]
    if size < V4 or len(header) < size:
        return PhotoFile(data)
    if size >= V5 and header[56:60] == EMBEDDED:
        start, length = struct.unpack("<II", header[112:120])
        return PhotoFile(data, profile=data[HEAD + start : HEAD + start + length])
    if struct.unpack("<I", header[56:60])[0] != CALIBRATED:
        return PhotoFile(data)
    numbers = [number / (1 << 30) for number in struct.unpack("<9I", header[60:96])]
    gammas = [number / (1 << 16) for number in struct.unpack("<3I", header[96:108])]
    white = [sum(axis) for axis in zip(*(numbers[n : n + 3] for n in (0, 3, 6)), strict=True)]
    named = all(1 <= gamma <= 4 for gamma in gammas) and max(gammas) - min(gammas) < 0.01
    if not named or not white[1] or not all(sum(numbers[n : n + 3]) for n in (0, 3, 6)):
        return PhotoFile(data)  # many programs leave these fields empty
    red, green, blue = (_point(numbers[n : n + 3]) for n in (0, 3, 6))
    return PhotoFile(data, Colours((red, green, blue, _point(white)), gammas[0]))


def _point(xyz: Sequence[float]) -> Point:
    return xyz[0] / sum(xyz), xyz[1] / sum(xyz)
