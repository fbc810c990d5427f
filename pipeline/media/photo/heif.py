"""Read the colours of an AVIF or HEIC picture by code points (nclx), which Pillow does not pass on."""

import struct
from collections.abc import Iterator

from .colour import Colours, from_code_points

MOST_BOXES = 10_000


def read_colours(data: bytes) -> Colours | None:
    """Return the primary picture's colours (ISO/IEC 23008-12); None if it has none, or sRGB's, or is broken."""
    try:
        meta = _box(data, b"meta")[4:]
        properties = _box(meta, b"iprp")
        primary = _box(meta, b"pitm")
        item = int.from_bytes(primary[4 : 6 if primary[0] == 0 else 8], "big")
        boxes = list(_boxes(_box(properties, b"ipco")))
        for index in _associated(_box(properties, b"ipma"), item):
            kind, body = boxes[index - 1]
            if kind == b"colr" and body[:4] == b"nclx":
                primaries, transfer = struct.unpack(">HH", body[4:8])
                return from_code_points(primaries, transfer)
    except (LookupError, struct.error):
        return None
    return None


def _associated(body: bytes, item: int) -> Iterator[int]:
    """Yield the numbers (1 is the first) of an item's properties, from the content of an `ipma` box."""
    version, wide = body[0], body[3] & 1
    (entries,) = struct.unpack(">I", body[4:8])
    at, size = 8, 2 if version == 0 else 4
    for _ in range(min(entries, MOST_BOXES)):
        found, count = int.from_bytes(body[at : at + size], "big"), body[at + size]
        at += size + 1
        for _ in range(count):
            number = int.from_bytes(body[at : at + 1 + wide], "big") & (0x7FFF if wide else 0x7F)
            at += 1 + wide
            if found == item and number:
                yield number


def _box(data: bytes, kind: bytes) -> bytes:
    """Return the content of the first box of that type. Raise LookupError."""
    for found, body in _boxes(data):
        if found == kind:
            return body
    raise LookupError(kind)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(MOST_BOXES):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        head = 8
        if size == 1:
            (size,), head = struct.unpack(">Q", data[at + 8 : at + 16]), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            return
        yield kind, data[at + head : at + size]
        at += size
