"""Describe a photo's file beside its pixels: colours, raw data, a missing end, and its bytes for the decoder."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from .colour import Colours


@dataclass(frozen=True)
class PhotoFile:
    """A photo's file.

    Attributes:
        data: for the decoder, without metadata that could only make it fail.
        colours: what the numbers mean if that is not sRGB.
        profile: an ICC profile, which then tells the colours.
        deep: it may have more than 8 bits a channel, which matter for such colours.
        cut: a JPEG whose end is missing.
        most_pixels: allowed pixels if more than for other formats, because it is decoded at 1/2, 1/4 or 1/8 of them.
        grey: of a grey TIFF with more than 8 bits: returns it with 8.
    """

    data: bytes
    colours: Colours | None = None
    profile: bytes | None = None
    deep: bool = False
    cut: bool = False
    most_pixels: int = 0
    grey: Callable[[], Image.Image] | None = None
