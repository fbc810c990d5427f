"""A thing comes in front of what the photo shows, and leaves again."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from camera_clips import photos

from .base import SIZE, HardCase, as_case, ellipse, over, slow_pan

SKIN = np.array([205, 160, 135], np.float32)
RADII = (140, 220)


def covered() -> HardCase:
    """The thing has a texture of its own."""
    thing = cv2.resize(photos()["retina"][300:1100], SIZE, interpolation=cv2.INTER_AREA)
    return _crossing(lambda _: thing)


def hand() -> HardCase:
    """The thing is smooth, with a soft shade, as a hand or a cheek is."""
    across = np.arange(SIZE[0], dtype=np.float32)

    def shaded(middle: float) -> np.ndarray:
        shade = 0.8 + 0.3 * (across - middle) / (2 * RADII[0])
        return np.clip(shade[None, :, None] * SKIN, 0, 255)

    return _crossing(shaded)


def _crossing(thing: Callable[[float], np.ndarray]) -> HardCase:
    """thing: its picture, given the x of its middle."""

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            middle = -200 + 150 * t
            mask = ellipse((middle, 380), RADII)
            yield over(frame, thing(middle), mask), mask > 0.02

    return as_case(made())
