"""How far enhanced frames are from the truth where the video has changed, and where it has not."""

from collections.abc import Iterable
from statistics import fmean

import numpy as np

from .base import HardCase


def measure(case: HardCase, ours: Iterable[np.ndarray], plain: Iterable[np.ndarray]) -> dict[str, float]:
    """Compare both with the truth, frame by frame. ours, plain: uint8 RGB of the truth's shape.

    Returns: `inside` and `inside_plain`, mean absolute error in grey levels where the video has changed; `ratio` of
    the two, `worst_ratio` in one frame; `outside`, mean gain in dB where it has not, and `worst_outside` in one frame.
    What a case has no place for is left out.
    """
    inside, outside = [], []
    for made, enlarged, truth, changed in zip(ours, plain, case.frames, case.changed, strict=True):
        new, old = (np.abs(one.astype(np.float32) - truth).mean(-1) for one in (made, enlarged))
        if changed.any():
            inside.append((float(new[changed].mean()), float(old[changed].mean())))
        if not changed.all():
            outside.append(float(10 * np.log10((old[~changed] ** 2).mean() / (new[~changed] ** 2).mean())))
    found: dict[str, float] = {}
    if inside:
        mean, enlarged = (fmean(pair[i] for pair in inside) for i in (0, 1))
        worst = max(pair[0] / pair[1] for pair in inside)
        found |= {"inside": mean, "inside_plain": enlarged, "ratio": mean / enlarged, "worst_ratio": worst}
    if outside:
        found |= {"outside": fmean(outside), "worst_outside": min(outside)}
    return found
