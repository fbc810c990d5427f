"""What a hard case consists of, and the slow camera move that most of them change."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from camera_clips import MOVES, camera_clip, photos

SIZE = (1280, 720)
"""Width and height of the true frames."""

COUNT = 12
"""Frames of a case."""


@dataclass(frozen=True)
class HardCase:
    """A clip with known truth, of which a part has changed since the photo.

    photo: uint8 RGB (720, 1280, 3), what the video is made from. frames: the truth, uint8 RGB of the same shape.
    changed: for each frame a bool (720, 1280), where it shows something that the photo does not.
    """

    photo: np.ndarray
    frames: list[np.ndarray]
    changed: list[np.ndarray]


@lru_cache(maxsize=1)
def slow_pan() -> list[np.ndarray]:
    """The sample seen by a camera that pans slowly; never written to."""
    found = photos()
    return list(camera_clip(found["sample"], found["retina"], MOVES["slow pan"], SIZE, COUNT))


def ellipse(middle: tuple[float, float], radii: tuple[float, float], soft: float = 2.0) -> np.ndarray:
    """1 inside, 0 outside, float32 (720, 1280). middle, radii: pixels (x, y). soft: edge's blur in pixels."""
    mask = np.zeros(SIZE[::-1], np.float32)
    cv2.ellipse(mask, (round(middle[0]), round(middle[1])), (int(radii[0]), int(radii[1])), 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), soft)


def over(frame: np.ndarray, other: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Lay `other` (an image or one colour) over the frame where the mask is 1; uint8 RGB."""
    share = mask[..., None]
    return np.clip(frame * (1 - share) + other * share + 0.5, 0, 255).astype(np.uint8)


def as_case(made: Iterator[tuple[np.ndarray, np.ndarray]], photo: np.ndarray | None = None) -> HardCase:
    """made: (frame, changed) one after the other. photo: the slow pan's first frame where not given."""
    frames, changed = zip(*made, strict=True)
    return HardCase(slow_pan()[0] if photo is None else photo, list(frames), list(changed))


def everywhere(value: bool) -> np.ndarray:
    return np.full(SIZE[::-1], value)
