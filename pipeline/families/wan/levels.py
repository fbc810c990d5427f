"""Compute noise levels of flow matching. Without torch."""

from ..flow.levels import TRAIN_STEPS, shift_level

BELOW_ONE = 1e-6
"""The first level lies so much below 1, where the signal would have no logarithm."""


def shifted(steps: int, shift: float) -> list[float]:
    """Return the levels without the last, which is 0: evenly spaced ones from 1 down, moved up.

    Args:
        steps: 1 or more.
        shift: 1 = evenly spaced; more = more steps where there is much noise.
    """
    last = 1 / TRAIN_STEPS
    step = (last - 1) / steps
    even = [1 + i * step for i in range(steps)]
    found = [shift_level(s, shift) for s in even]
    return [found[0] - BELOW_ONE, *found[1:]]
