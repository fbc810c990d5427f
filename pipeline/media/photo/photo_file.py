"""Describe a photo's file beside its pixels: colours, raw data, a missing end, and its bytes for the decoder."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .colour import Colours


@dataclass(frozen=True)
class PhotoFile:
    """data: for the decoder, without the metadata that only could stop it.

    colours: what the numbers stand for where that is not sRGB; `profile` (ICC) says it where there is one.
    deep: it may have more than 8 bits a channel, which count for such colours. cut: a JPEG whose end is missing.
    most_pixels: more than other formats may have, because it is decoded at a half, quarter or eighth of its size.
    grey: of a grey TIFF with more than 8 bits: its values, which of them is white, and whether it is black instead.
    """

    data: bytes
    colours: Colours | None = None
    profile: bytes | None = None
    deep: bool = False
    cut: bool = False
    most_pixels: int = 0
    grey: Callable[[], tuple[np.ndarray, float, bool]] | None = None
