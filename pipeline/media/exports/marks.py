"""Mark exported files as made by a model, where platforms look for it: an XMP packet, as the mp4s have it."""

import struct
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..mp4 import mark_ai_generated, xmp_packet

GIF_APPLICATION = b"\x21\xff\x0bXMP DataXMP"
GIF_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
"""XMP specification, part 3: programs that skip the packet as if it were GIF's sub-blocks find their way out here."""

WEBP_XMP_FLAG = 0x04


def mark(path: Path, suffix: str) -> None:
    """Mark a finished file of this suffix. A webm has no place for XMP: it bears a tag of its own.

    Raises:
        OSError: it cannot be written.
    """
    if suffix == ".mp4":
        mark_ai_generated(path)
    elif suffix == ".gif":
        _mark_gif(path)
    elif suffix == ".webp":
        _mark_webp(path)


def save_still(image: Image.Image, path: Path, suffix: str) -> None:
    """Save a picture as PNG or as JPEG of high quality, marked. Raise OSError."""
    if suffix == ".png":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp_packet())
        image.save(path, "PNG", pnginfo=info, compress_level=4)
    else:
        image.save(path, "JPEG", quality=93, subsampling=0, xmp=xmp_packet().encode())


def _mark_gif(path: Path) -> None:
    """Put the packet behind the header and the global colours, before the first picture."""
    data = path.read_bytes()
    flags = data[10]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    with open(path, "rb+") as file:
        file.seek(at)
        file.write(GIF_APPLICATION + xmp_packet().encode() + GIF_TRAILER + data[at:])


def _mark_webp(path: Path) -> None:
    """Append the packet as the last chunk of an animation, and set its flag in the first one."""
    packet = xmp_packet().encode()
    with open(path, "rb+") as file:
        head = file.read(21)
        if head[12:16] != b"VP8X":
            return  # a single picture without an animation's header has no place for it
        file.seek(20)
        file.write(bytes([head[20] | WEBP_XMP_FLAG]))
        file.seek(0, 2)
        file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + bytes(len(packet) % 2))
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))
