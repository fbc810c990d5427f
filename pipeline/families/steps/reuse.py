"""Decide from a model's measured ratios which steps of a window reuse features. Without torch."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from ....presets import Reuse


@lru_cache(maxsize=64)
def whole_steps(reuse: Reuse, steps: int) -> Sequence[bool]:
    """Return which steps compute the whole network: MagCache (arXiv 2506.09045, algorithm 1).

    A step reuses the features of the last whole one while their estimated error is small. With another number of steps
    than in the measurement, a step spans more or less of the trajectory, and its ratio is that of its span.

    Args:
        reuse: The ratios and the limits.
        steps: Steps of the window.
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
    """Return the size of the residual at each step, relative to the first one."""
    measured = list(accumulate(map(math.log, ratios), initial=0.0))
    found = []
    for step in range(steps):
        place = step / steps * len(measured)
        before = int(place)
        # Behind the last measured step nothing counts as changed; the steps there are whole in any case.
        after = min(before + 1, len(measured) - 1)
        found.append(math.exp(measured[before] + (place - before) * (measured[after] - measured[before])))
    return found
