"""A round thing turns: its texture is squeezed at one side, stretched at the other, and new parts come to be seen."""

from collections.abc import Iterator

import cv2
import numpy as np
from camera_clips import photos

from .base import SIZE, HardCase, as_case, over, slow_pan

RADIUS = 230
TURN = 25
"""Degrees to either side."""


def face() -> HardCase:
    """A textured ball as large as a face in a portrait."""
    texture = cv2.resize(photos()["sample"][100:700, 300:900], (1000, 1000), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    x, y = (x - SIZE[0] / 2) / RADIUS, (y - SIZE[1] / 2) / RADIUS
    depth = np.sqrt(np.clip(1 - x * x - y * y, 0, 1))
    inside = x * x + y * y < 1
    mask = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.5)

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            longitude = np.arctan2(x, depth) + np.deg2rad(TURN * np.sin(0.6 * t))
            latitude = np.arcsin(np.clip(y, -1, 1))
            across, down = ((500 + 300 * angle).astype(np.float32) for angle in (longitude, latitude))
            surface = cv2.remap(texture, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
            yield over(frame, surface, mask), inside

    case = as_case(made())
    return HardCase(case.frames[0], case.frames, case.changed)
