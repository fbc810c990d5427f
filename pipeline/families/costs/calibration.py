"""Convert a formula's seconds to a machine's, by measurements. Without torch.

Formulas know how the work grows with size, length and quality; only measurements know the machine. Each measured kind
of job is a point (seconds by formula, seconds measured). Between and beyond the points the correction is interpolated.
It never falls as the formula's seconds grow, so that a more expensive kind is not shown as cheaper because one of the
two was measured on a busy day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

OLDER = 0.5
"""Weight of a point for each newer one, where points contradict each other."""
LEAST = 1e-3
"""Smallest weight."""


@dataclass(frozen=True)
class Point:
    """One measured kind of job.

    Attributes:
        expected: Seconds by the formula, above 0.
        taken: Seconds measured, above 0.
        weight: Above 0; how much it counts if others contradict it.
    """

    expected: float
    taken: float
    weight: float = 1.0


def weighted(found: Sequence[tuple[float, float]]) -> list[Point]:
    """Return the points of (expected, taken), given from oldest to newest."""
    newest = len(found) - 1
    return [Point(expected, taken, max(LEAST, OLDER ** (newest - i))) for i, (expected, taken) in enumerate(found)]


def corrected(expected: float, points: Sequence[Point]) -> float:
    """Return the expected seconds.

    Args:
        expected: Seconds by the formula.
        points: Measurements, at least one. A point that contradicts no other is reproduced exactly.
    """
    curve = rising(points)
    first, last = curve[0], curve[-1]
    if expected <= first.expected:
        return expected * first.taken / first.expected
    for below, above in pairwise(curve):
        if expected <= above.expected:
            share = (expected - below.expected) / (above.expected - below.expected)
            return below.taken + share * (above.taken - below.taken)
    return expected * last.taken / last.expected


def rising(points: Sequence[Point]) -> list[Point]:
    """Return the points sorted by the formula's seconds, with measured seconds that never fall.

    Neighbours that contradict each other get their mean (isotonic regression, pool adjacent violators).
    """
    pools: list[list[Point]] = []
    for point in sorted(points, key=lambda one: one.expected):
        pools.append([point])
        while len(pools) > 1 and (_mean(pools[-2]) > _mean(pools[-1]) or _together(pools[-2], pools[-1])):
            pools[-2:] = [pools[-2] + pools[-1]]
    means = {point.expected: _mean(pool) for pool in pools for point in pool}
    return [Point(expected, taken) for expected, taken in means.items()]


def _together(one: list[Point], other: list[Point]) -> bool:
    return one[-1].expected == other[0].expected


def _mean(pool: list[Point]) -> float:
    return sum(point.taken * point.weight for point in pool) / sum(point.weight for point in pool)
