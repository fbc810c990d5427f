"""Decode pictures at more than 8 bits a channel, for colours whose dark tones 8 bits do not hold: linear, PQ, HLG.

Pillow has no such mode for colour. OpenCV decodes PNG and AVIF so, pillow-heif HEIC. OpenCV's wheels for Windows are
built without AVIF.
"""

import io

import numpy as np


def deep_pixels(data: bytes, most: tuple[int, int]) -> np.ndarray | None:
    """Decode a picture as RGB with 16 bits a channel.

    Args:
        data: the file.
        most: (width, height) to which a larger picture is reduced.

    Returns:
        uint16, 0 to 65535, (height, width, 3 or 4), not turned; None if only 8 bits are available.
    """
    import cv2

    if _is_heic(data):
        from pillow_heif import open_heif

        values = np.asarray(open_heif(io.BytesIO(data), convert_hdr_to_8bit=False))
    else:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None:
            return None
        values = decoded[..., [2, 1, 0, *range(3, decoded.shape[2])]] if decoded.ndim == 3 else decoded
    if values.dtype != np.uint16:
        return None
    if (values.shape[1], values.shape[0]) != most:
        values = cv2.resize(values, most, interpolation=cv2.INTER_AREA)
    if values.ndim == 2:
        values = np.repeat(values[..., None], 3, axis=2)
    bits = 16 if data.startswith(b"\x89PNG") or _is_heic(data) else _avif_bits(data)
    return values if bits == 16 else (values.astype(np.uint32) * 65535 // (2**bits - 1)).astype(np.uint16)


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis")


def _avif_bits(data: bytes) -> int:
    """Read the bits from the codec's configuration (av1C): OpenCV leaves the values unscaled."""
    flags = data[data.index(b"av1C") + 6]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
