"""Cut a picture into tiles that are decoded one after the other if memory is short. Without torch."""

from typing import NamedTuple

import numpy as np

from .folder import SIDE, STRIDE

SIDES = {2: 512, 1: 256}
"""Side of a tile in pixels, by the number of frames whose pixels the decoder may hold at once."""

SMALLEST = 128
"""Smallest side of a tile in pixels; its edges are blended over a quarter of that."""


class Span(NamedTuple):
    """A tile's range of latent pixels along one side.

    Attributes:
        start: First latent pixel.
        end: Exclusive.
        shared: Number of its first latent pixels that the previous tile has, too.
        factor: Pixels of the picture per latent pixel.
    """

    start: int
    end: int
    shared: int
    factor: int = SIDE

    @property
    def pixels(self) -> slice:
        """The range in pixels of the picture."""
        return slice(self.factor * self.start, self.factor * self.end)

    @property
    def weights(self) -> np.ndarray:
        """Blending weights of its pixels against the previous tile: a ramp over the shared ones, then 1."""
        at = np.arange(self.factor * (self.end - self.start), dtype=np.float32)
        return np.minimum(1.0, (at + 0.5) / (self.factor * self.shared)) if self.shared else np.ones_like(at)


def spans(length: int, most: int, factor: int = SIDE) -> list[Span]:
    """Cut a side into equal spans of at most `most`, each of which shares a quarter or more with the next.

    Args:
        length: Latent pixels of the side.
        most: Largest length of a span, latent pixels.
        factor: Pixels of the picture per latent pixel.
    """
    if length <= most:
        return [Span(0, length, 0, factor)]
    overlap = most // 4
    count = -(-(length - overlap) // (most - overlap))
    starts = [i * (length - most) // (count - 1) for i in range(count)]
    return [Span(a, a + most, starts[i - 1] + most - a if i else 0, factor) for i, a in enumerate(starts)]


def tile_side(chunk: int, width: int, height: int) -> int | None:
    """Return the side of a tile in pixels; None = decode the picture as a whole.

    A tile has at most half of the picture: it must save more than the video takes that is assembled from tiles. The
    smallest tiles are smaller still for a small picture, which as a whole would take more than a larger one in tiles.

    Args:
        chunk: Number of frames whose pixels the decoder may hold at once.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
    """
    side = next((side for least, side in SIDES.items() if chunk >= least), SIDES[1]) if chunk < STRIDE else 0
    while chunk <= 1 and side > SMALLEST and 2 * tile_pixels(side, width, height) > width * height:
        side -= 2 * SIDE
    return side if 0 < 2 * tile_pixels(side, width, height) <= width * height else None


def tile_pixels(side: int, width: int, height: int) -> int:
    """Return the pixels of a tile of a picture."""
    return min(side, width) * min(side, height)


def computed_share(width: int, height: int, side: int, factor: int = SIDE) -> float:
    """Return how many times a picture of that size (pixels) is decoded in tiles. factor: see `Span`."""
    across, down = (sum(one.end - one.start for one in spans(n // factor, side // factor)) for n in (width, height))
    return across * down * factor**2 / (width * height)
