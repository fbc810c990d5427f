"""The lower part of the picture ripples as water does: its texture stays, its shape does not."""

from collections.abc import Iterator

import cv2
import numpy as np

from .base import SIZE, HardCase, as_case, slow_pan

SHORE = 400
"""Row from which on there is water, reached over 40 rows."""


def water() -> HardCase:
    """Waves of 5 pixels, 45 long; the photo shows them as the first frame does."""
    case = _rippled(5, 45, 0.23)
    return HardCase(case.frames[0], case.frames, case.changed)


def ripples() -> HardCase:
    """Waves of 9 pixels, 30 long and quick: no flow follows them. In the photo the water is still."""
    return _rippled(9, 30, 0.37)


def _rippled(height: float, length: float, speed: float) -> HardCase:
    """height, length: pixels. speed: waves a frame."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    share = np.clip((y - SHORE) / 40, 0, 1)

    def wave(along: np.ndarray, phase: float) -> np.ndarray:
        return np.sin(2 * np.pi * (along / length + phase))

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            across = wave(y, t * speed) + wave(0.7 * x, 0.3 - 1.3 * t * speed)
            down = wave(x, 0.5 + 0.9 * t * speed) + wave(0.8 * y, t * speed)
            size = height * share / 1.4
            moved = cv2.remap(frame, x + size * across, y + size * down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            yield moved, share > 0.5

    return as_case(made())
