"""Compute the noise levels of a distilled model for any number of steps. Without torch."""

TRAIN_STEPS = 1000
"""A transformer is told the noise level σ, 0..1, as σ times this."""


def stretched(sigmas: tuple[float, ...], steps: int) -> list[float]:
    """Return `steps` levels along the given ones and the 0 behind them; exactly the given ones for their own number."""
    ends, count = (*sigmas, 0.0), len(sigmas)
    found = []
    for i in range(steps):
        low, rest = divmod(i * count, steps)
        found.append(ends[low] + (ends[low + 1] - ends[low]) * rest / steps if rest else ends[low])
    return found
