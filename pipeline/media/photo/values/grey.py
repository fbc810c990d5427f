"""Bring grey of more than 8 bits to 8."""

import numpy as np
from PIL import Image

from .....errors import PhotoError
from .....messages import msg
from ..tiff import BITS, FLOAT, PHOTOMETRIC, UNSIGNED, WHITE_IS_ZERO, Tags, number_format


def scaled_grey(values: np.ndarray | Image.Image, white: float, inverted: bool = False) -> Image.Image:
    """Convert grey of more than 8 bits to mode L. Pillow itself clips at 255, which makes such photos white."""
    grey = np.nan_to_num(np.asarray(values, np.float32), nan=0.0, posinf=white, neginf=0.0) * (255.0 / white)
    grey = np.clip(255 - grey if inverted else grey, 0, 255)
    return Image.fromarray((grey + 0.5).astype(np.uint8))


def tiff_grey(image: Image.Image, tags: Tags, name: str) -> Image.Image:
    """Convert a grey TIFF with more than 8 bits to mode L."""
    return scaled_grey(*_grey_range(np.asarray(image), tags, name))


def _grey_range(values: np.ndarray, tags: Tags, name: str) -> tuple[np.ndarray, float, bool]:
    """Return (values, which of them is white, whether it is black instead) of a grey TIFF with more than 8 bits."""
    bits, inverted = max(tags.get(BITS, (1,))), tags.get(PHOTOMETRIC) == WHITE_IS_ZERO
    top = float(np.nanmax(values, initial=0))
    if number_format(tags) == FLOAT:
        if not 0 <= top <= 1.5 and not 32 < top <= 65535 * 1.01:
            raise PhotoError(
                msg(
                    "{name} is a TIFF with floating-point numbers up to {top:g}; save it with 8 or 16 bits",
                    name=name,
                    top=top,
                )
            )
        return values, 1.0 if top <= 1.5 else 255.0 if top <= 257 else 65535.0, inverted
    if bits <= 16:
        return values, 2.0**bits - 1, inverted
    if number_format(tags) == UNSIGNED:
        values = values.astype(np.int64) % 2**32
        top = float(values.max(initial=0))
    return values, next((white for white in (255.0, 65535.0) if top <= white), 2.0**32 - 1), inverted
