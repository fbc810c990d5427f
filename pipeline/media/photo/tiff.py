"""Read TIFF tags: recognise camera raw files and unsupported kinds, and correct what Pillow misreads."""

import io
import struct
from collections.abc import Mapping
from typing import Any

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ....errors import PhotoError
from ....messages import msg

SUBFILE, WIDTH, BITS, PHOTOMETRIC, CHANNELS, PLANES, SUB_IFDS, SAMPLES, DNG = (
    *(254, 256, 258, 262, 277, 284, 330, 339, 50706),
)  # fmt: skip
REDUCED = 1
WHITE_IS_ZERO, BLACK_IS_ZERO, COLOUR_FILTERS, LINEAR_RAW = 0, 1, 32803, 34892
UNSIGNED, FLOAT = 1, 3
BIG_TIFF = 43

Tags = Mapping[int, Any]


def read_tags(data: bytes) -> Tags:
    """Read the tags of the first picture. Pillow's parser may raise any error for a broken file."""
    head = data[: 16 if BIG_TIFF in (data[2], data[3]) else 8]
    tags = ImageFileDirectory_v2(head)
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    return tags


def is_raw(data: bytes, tags: Tags) -> bool:
    """Tell whether the file is a camera's raw file, whose first picture is a thumbnail, or not developed."""
    thumbnail = bool(tags.get(SUBFILE, 0) & REDUCED) and SUB_IFDS in tags
    undeveloped = tags.get(PHOTOMETRIC) in (COLOUR_FILTERS, LINEAR_RAW)
    return DNG in tags or thumbnail or undeveloped or data[8:10] == b"CR"


def check_kind(tags: Tags, name: str) -> None:
    """Raise PhotoError for unsupported kinds: colour with other than 1 to 8, or 16, bits a channel."""
    channels, bits = tags.get(CHANNELS, 1), max(tags.get(BITS, (1,)))
    if channels < 3 or bits <= 8:
        return
    if number_format(tags) == FLOAT:
        raise PhotoError(
            msg("{name} is a TIFF with floating-point colours; save it with 8 or 16 bits a channel", name=name)
        )
    if bits != 16:
        raise unknown_kind(tags, name)


def unknown_kind(tags: Tags, name: str) -> PhotoError:
    """Make the error for a TIFF with valid tags whose kind Pillow does not support."""
    channels, bits = tags.get(CHANNELS, 1), max(tags.get(BITS, (1,)))
    return PhotoError(
        msg(
            "{name} is a TIFF of {channels} × {bits} bits a pixel, which is not supported; save it as JPEG or PNG",
            name=name,
            channels=channels,
            bits=bits,
        )
    )


def as_black_is_zero(data: bytes, tags: Tags) -> bytes:
    """Change the photometric tag where Pillow supports only some kinds with zero as white, and inverts none.

    Those are the grey ones of more than 8 bits, whose values `values/grey.py` brings to 8.
    """
    if tags.get(PHOTOMETRIC) != WHITE_IS_ZERO or max(tags.get(BITS, (1,))) <= 8:
        return data
    order = "<" if data[:1] == b"I" else ">"
    entry = struct.pack(order + ("HHQ" if BIG_TIFF in (data[2], data[3]) else "HHI"), PHOTOMETRIC, 3, 1)
    old, new = (entry + struct.pack(order + "H", value) for value in (WHITE_IS_ZERO, BLACK_IS_ZERO))
    return data.replace(old, new, 1)


def mend_planes(image: Any, tags: Tags) -> None:
    """Correct the layout of uncompressed 16-bit planes, which Pillow reads as if they had 8 bits."""
    if tags.get(PLANES) != 2 or max(tags.get(BITS, (1,))) != 16:
        return
    order = "L" if tags.prefix == b"II" else "B"  # type: ignore[attr-defined]
    image.tile = [
        tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:]))
        if tile.codec_name == "raw" and len(tile.args[0]) == 1
        else tile
        for tile in image.tile
    ]


def number_format(tags: Tags) -> int:
    """Return the SampleFormat: what kind of numbers the values are."""
    return max(tags.get(SAMPLES, (UNSIGNED,)))
