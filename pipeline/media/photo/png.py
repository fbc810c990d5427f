"""Read PNG chunks: the colours, and a stream of only those chunks that the pixels need."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress

from .colour import BT709, Colours, Point, from_code_points
from .photo_file import PhotoFile

SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
"""Kept even when their checksum is wrong, so that the decoder refuses what is really damaged."""
KEPT = (b"tRNS", b"eXIf")
EXIF_TEXTS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Comments in which some programs say how the photo is turned."""
MAX_TEXT = 1 << 16
MAX_PROFILE = 4 << 20
"""Bytes. Profiles of cameras and screens have 0.5 to 600 KB."""

SRGB_GAMMA = 45455
NEAR = 0.05
"""A gamma alone that differs by less is taken for sRGB's, as browsers do."""


def read_png(data: bytes) -> PhotoFile:
    """Read the colours in the order of the PNG specification: cICP, iCCP, sRGB, gAMA with cHRM.

    All other metadata is removed: a comment that is too long or has a wrong checksum must not make a photo unusable.
    """
    about: dict[bytes, bytes] = {}
    kept, depth, ended = [SIGNATURE], 8, False
    for kind, body, whole in _chunks(data):
        if kind == b"IHDR" and len(body) == 13:
            depth = body[8]
        if kind in NEEDED:
            kept.append(_chunk(kind, body, whole))
            ended |= kind == b"IEND"
        elif whole and (kind in KEPT or _turns(kind, body)):
            kept.insert(2, _chunk(kind, body))  # before the pixels: what stands behind them is read too late
        elif whole:
            about.setdefault(kind, body)
    if not ended:
        kept.append(_chunk(b"IEND", b""))
    colours, profile = _colours(about), None
    if b"cICP" not in about:
        profile = _profile(about.get(b"iCCP", b""))
    if profile:
        colours = None
    return PhotoFile(b"".join(kept), colours, profile, deep=depth == 16 and colours is not None)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yield (type, content, whether it is complete with a right checksum). The last one may be truncated."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body, check = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        yield kind, body, check == struct.pack(">I", zlib.crc32(kind + body))
        if kind == b"IEND":
            return
        at += 12 + length


def _chunk(kind: bytes, body: bytes, whole: bool = True) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check if whole else check ^ 1)


def _turns(kind: bytes, body: bytes) -> bool:
    return kind in (b"tEXt", b"iTXt") and body.startswith(EXIF_TEXTS) and len(body) <= MAX_TEXT


def _profile(body: bytes) -> bytes | None:
    """Return the ICC profile of an iCCP chunk; None if it cannot be unpacked."""
    _, _, packed = body.partition(b"\0")
    unpack = zlib.decompressobj()
    with suppress(zlib.error):
        profile = unpack.decompress(packed[1:], MAX_PROFILE)
        return profile if profile and unpack.eof else None
    return None


def _colours(about: dict[bytes, bytes]) -> Colours | None:
    code_points = about.get(b"cICP", b"")
    if len(code_points) == 4:
        return from_code_points(code_points[0], code_points[1], full_range=code_points[3] != 0)
    gamma = int.from_bytes(about.get(b"gAMA", b""), "big")
    if b"sRGB" in about or not gamma:
        return None
    primaries = _primaries(about.get(b"cHRM", b""))
    if primaries is None and abs(gamma / SRGB_GAMMA - 1) < NEAR:
        return None
    return Colours(primaries or BT709, 100_000 / gamma)


def _primaries(body: bytes) -> tuple[Point, Point, Point, Point] | None:
    """Return red, green, blue and white of a cHRM chunk; None if they do not span a gamut."""
    if len(body) != 32:
        return None
    numbers = [number / 100_000 for number in struct.unpack(">8I", body)]
    white, red, green, blue = zip(numbers[::2], numbers[1::2], strict=True)
    area = (green[0] - red[0]) * (blue[1] - red[1]) - (blue[0] - red[0]) * (green[1] - red[1])
    return (red, green, blue, white) if abs(area) > 1e-3 and white[1] > 0 else None
