"""Cut a picture into tiles that are decoded one after the other where there is little memory. Without torch."""

from typing import NamedTuple

import numpy as np

from .folder import SIDE, STRIDE

SIDES = {2: 512, 1: 256}
"""Side of a tile in pixels, by the frames of which the decoder may hold the pixels at once."""

SMALLEST = 128
"""Side of a tile in pixels, at least; its edges are blended over a quarter of that."""


class Span(NamedTuple):
    """Latent pixels start..end along one side; the first `shared` of them the tile before has, too.

    factor: pixels of the picture to one of them.
    """

    start: int
    end: int
    shared: int
    factor: int = SIDE

    @property
    def pixels(self) -> slice:
        """Return where it lies in the picture."""
        return slice(self.factor * self.start, self.factor * self.end)

    @property
    def weights(self) -> np.ndarray:
        """Return how much of each pixel is this tile's and not the one's before: a ramp, then 1."""
        at = np.arange(self.factor * (self.end - self.start), dtype=np.float32)
        return np.minimum(1.0, (at + 0.5) / (self.factor * self.shared)) if self.shared else np.ones_like(at)


def spans(length: int, most: int, factor: int = SIDE) -> list[Span]:
    """Cut latent pixels into equal spans of at most `most`, each of which shares a quarter or more with the next.

    factor: pixels of the picture to one of them.
    """
    if length <= most:
        return [Span(0, length, 0, factor)]
    overlap = most // 4
    count = -(-(length - overlap) // (most - overlap))
    starts = [i * (length - most) // (count - 1) for i in range(count)]
    return [Span(a, a + most, starts[i - 1] + most - a if i else 0, factor) for i, a in enumerate(starts)]


def tile_side(chunk: int, width: int, height: int) -> int | None:
    """Return the side of a tile in pixels, or None to decode the picture as a whole.

    A tile has half of the picture at most: it must spare more than the video takes that is put together of tiles. The
    smallest are smaller still for a small picture: decoded as a whole it would take more than a larger one in tiles.

    Args:
        chunk: Frames of which the decoder may hold the pixels at once.
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
    """Return how many times a picture of that size in pixels is decoded, in tiles. factor: see `Span`."""
    across, down = (sum(one.end - one.start for one in spans(n // factor, side // factor)) for n in (width, height))
    return across * down * factor**2 / (width * height)
