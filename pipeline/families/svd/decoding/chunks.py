"""Choose which frames are decoded together. Without torch."""

from itertools import pairwise

HALO_FROM = 6
"""Frames of a chunk; in a smaller one two thrown away would cost too much."""


def chunk_ranges(total: int, chunk: int) -> list[tuple[int, int]]:
    """Cut `total` frames into equal chunks of at most `chunk`.

    A short last one would look different from its neighbours.

    Returns:
        (first, end) of each chunk, end exclusive.
    """
    count = -(-total // chunk)
    edges = [i * total // count for i in range(count + 1)]
    return list(pairwise(edges))


def halo_of(total: int, chunk: int) -> int:
    """Return how many frames are decoded along on both sides of a chunk and thrown away.

    1, or 0 in small chunks and where one chunk holds all frames.
    """
    return 1 if HALO_FROM <= chunk < total else 0


def of_one_length(ranges: list[tuple[int, int]], total: int) -> list[tuple[int, int]]:
    """Lengthen ranges of `total` frames to the longest one's length, for a decoder that is compiled for each length."""
    length = max(high - low for low, high in ranges)
    return [(min(low, total - length), min(low, total - length) + length) for low, _ in ranges]


def decoded_frames(total: int, chunk: int) -> int:
    """Count the frames that the decoder computes for `total` ones, those that are thrown away included."""
    halo = halo_of(total, chunk)
    return sum(min(total, end + halo) - max(0, first - halo) for first, end in chunk_ranges(total, chunk - 2 * halo))
