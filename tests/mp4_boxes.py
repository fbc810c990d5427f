"""Read the XMP packet of an mp4 without the product's own reader of boxes."""

import struct
from pathlib import Path

XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


def read_xmp(path: Path) -> str:
    """Return the packet in the file's top-level `uuid` box; "" without one."""
    data, start = path.read_bytes(), 0
    while start < len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        end = start + size if size else len(data)
        if kind == b"uuid" and data[start + head : start + head + 16] == XMP_UUID:
            return data[start + head + 16 : end].decode()
        start = end
    return ""
