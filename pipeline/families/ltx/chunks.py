"""Choose which latent frames are decoded together. Without torch."""

from itertools import pairwise
from typing import NamedTuple

STRIDE = 8
"""Frames of the video to a latent frame; the first latent frame stands for one."""

LEAST = 3
"""Latent frames that are decoded together at least: one, and one on each side."""

HALOS = ((9, 3), (5, 2), (0, 1))
"""Latent frames decoded together, and how many of them on both sides are thrown away: the decoder looks both ways in
time. The first of a chunk always is, as the decoder makes one frame of it instead of eight."""


class Chunk(NamedTuple):
    """Latent frames low..high are decoded, first..end of them are kept; ends exclusive."""

    low: int
    first: int
    end: int
    high: int

    @property
    def frames(self) -> tuple[int, int]:
        """Return the frames that are kept, of those that the decoder gives, end exclusive."""
        begin = 0 if self.first == 0 else 1 + STRIDE * (self.first - self.low - 1)
        return begin, 1 + STRIDE * (self.end - self.low - 1)


def chunks(total: int, most: int) -> list[Chunk]:
    """Cut `total` latent frames into equal chunks of at most `most` with their halos, and of at least LEAST."""
    if total <= max(most, LEAST):
        return [Chunk(0, 0, total, total)]
    halo = next(halo for least, halo in HALOS if most >= least)
    kept = max(1, most - 2 * halo)
    count = -(-total // kept)
    edges = [i * total // count for i in range(count + 1)]
    return [Chunk(max(0, a - halo), a, b, min(total, b + halo)) for a, b in pairwise(edges)]


def latents(frames: int) -> int:
    """Return the latent frames that hold at least so many frames."""
    return 1 + -(-(frames - 1) // STRIDE)


def frames(latents: int) -> int:
    """Return the frames for which so many latent frames stand."""
    return 1 + STRIDE * (latents - 1)


def decoded(total: int, most: int) -> int:
    """Count the latent frames that the decoder computes for `total` ones, those that are thrown away included."""
    return sum(chunk.high - chunk.low for chunk in chunks(total, most))
