"""Cut a picture into the tiles in which it is enlarged, so that memory does not grow with it. Without torch."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # callers that pass arrays have imported it; forecasts read SIDES only
    import numpy as np

SIDES = (512, 256, 128, 64)
"""Pixels of a tile before it is enlarged, the largest first."""


@dataclass(frozen=True)
class Tile:
    """rows, columns: of the part that is kept. outer_rows, outer_columns: what is computed for it, halo included."""

    rows: slice
    columns: slice
    outer_rows: slice
    outer_columns: slice

    def kept(self, scale: int) -> tuple[slice, slice]:
        """Return where the kept part lies in the enlarged outer part."""
        return _inside(self.rows, self.outer_rows, scale), _inside(self.columns, self.outer_columns, scale)

    def target(self, scale: int) -> tuple[slice, slice]:
        """Return where the kept part goes in the enlarged picture."""
        return _times(self.rows, scale), _times(self.columns, scale)


def cut(height: int, width: int, side: int, halo: int, wanted: "np.ndarray | None" = None) -> Iterator[Tile]:
    """Yield tiles of equal size, at most `side` pixels and `halo` more at each edge that is not the picture's.

    wanted: bool (height, width), where the result counts: a tile is cut down to that, or left out. None is everywhere.
    """
    for top, bottom in _spans(height, side):
        for left, right in _spans(width, side):
            rows, columns = slice(top, bottom), slice(left, right)
            if wanted is not None:
                here = wanted[rows, columns]
                if not here.any():
                    continue
                rows, columns = _bounds(here.max(1), top), _bounds(here.max(0), left)
            yield Tile(rows, columns, _wider(rows, halo, height), _wider(columns, halo, width))


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    count = -(-length // side)
    edges = [n * length // count for n in range(count + 1)]
    return list(pairwise(edges))


def _bounds(line: "np.ndarray", offset: int) -> slice:
    (places,) = line.nonzero()
    return slice(offset + int(places[0]), offset + int(places[-1]) + 1)


def _wider(part: slice, halo: int, length: int) -> slice:
    return slice(max(0, part.start - halo), min(length, part.stop + halo))


def _inside(part: slice, outer: slice, scale: int) -> slice:
    return slice((part.start - outer.start) * scale, (part.stop - outer.start) * scale)


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
