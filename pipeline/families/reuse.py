"""Decide by a model's measured ratios which steps of a window use features again. Without torch."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ...presets import Reuse


@lru_cache(maxsize=64)
def whole_steps(reuse: Reuse, steps: int) -> Sequence[bool]:
    """Return which steps compute the whole network: MagCache (arXiv 2506.09045, algorithm 1).

    A step uses the features of the last whole one while their estimated error is small. With another number of steps
    than the ratios were measured with, a step spans more or less of the way, and its ratio is that of its span.

    Args:
        reuse: The ratios and the limits.
        steps: Of the window.
    """
    sizes = _sizes(reuse.ratios, steps)
    found, last, error = [True], 0, 0.0
    for step in range(1, steps):
        error += abs(1 - sizes[step] / sizes[last])
        again = step >= int(steps * reuse.first) and step - last <= reuse.most and error < reuse.error
        if not again:
            last, error = step, 0.0
        found.append(not again)
    return tuple(found)


def _sizes(ratios: Sequence[float], steps: int) -> Sequence[float]:
    """Return the size of the residual at each step, as a share of the first one's."""
    measured = np.cumsum([0.0, *map(math.log, ratios)])
    places = np.arange(len(measured)) / len(measured)
    # The last measured step is not the end of the way: what is behind it counts as unchanged, and is never used again.
    return np.exp(np.interp(np.arange(steps) / steps, places, measured)).tolist()
