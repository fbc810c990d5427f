"""What the photo shows changes in its place: a patch, a mouth, the light, the focus, the grain, the whole picture."""

from collections.abc import Iterator

import cv2
import numpy as np
from camera_clips import photos

from .base import COUNT, SIZE, HardCase, as_case, ellipse, everywhere, over, slow_pan

DARK_RED = np.array([40, 15, 20], np.float32)
GRAIN = 8.0
"""Grey levels, standard deviation; the same for the three colours."""


def patch() -> HardCase:
    """A patch, as an eye that blinks, turns within three frames into another one of the same kind of texture."""
    other = slow_pan()[0][:, ::-1]

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            mask = ellipse((640 + 5 * t, 360), (120, 90))
            share = min(1, max(0, (t - 3) / 3))
            yield over(frame, other, mask * share), mask > 0.5

    return as_case(made())


def mouth() -> HardCase:
    """A dark opening that grows and shrinks."""

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            middle = 500 + 5 * t, 400
            opening = ellipse(middle, (60, 1 + 40 * abs(np.sin(t / 2))))
            yield over(frame, DARK_RED, opening), ellipse(middle, (75, 60)) > 0.5

    return as_case(made())


def dimmed() -> HardCase:
    """The light goes down to a half."""
    levels = np.linspace(1, 0.5, COUNT)
    return as_case(
        ((frame * level).astype(np.uint8), everywhere(True)) for frame, level in zip(slow_pan(), levels, strict=True)
    )


def cut() -> HardCase:
    """From the middle on another picture."""
    picture = photos()["hubble_deep_field"]
    scale = SIZE[0] / picture.shape[1]
    picture = cv2.resize(picture, (SIZE[0], round(picture.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    other = picture[: SIZE[1]]

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            late = t >= COUNT // 2
            yield (np.roll(other, 5 * t, axis=1) if late else frame), everywhere(late)

    return as_case(made())


def small_photo() -> HardCase:
    """Nothing changes, but the photo has only 640 × 360 pixels."""
    first = slow_pan()[0]
    small = cv2.resize(first, (640, 360), interpolation=cv2.INTER_AREA)
    photo = cv2.resize(small, SIZE, interpolation=cv2.INTER_LANCZOS4)
    return as_case(((frame, everywhere(False)) for frame in slow_pan()), photo)


def grain() -> HardCase:
    """A camera's grain, another one in each frame and in the photo."""
    random = np.random.default_rng(0)

    def grainy(frame: np.ndarray) -> np.ndarray:
        noise = random.normal(0, GRAIN, (*SIZE[::-1], 1)).astype(np.float32)
        return np.clip(frame + noise, 0, 255).astype(np.uint8)

    photo = grainy(slow_pan()[0])
    return as_case(((grainy(frame), everywhere(False)) for frame in slow_pan()), photo)


def defocus() -> HardCase:
    """Everything goes out of focus, in the end by 3.9 pixels (standard deviation)."""

    def made() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for t, frame in enumerate(slow_pan()):
            yield cv2.GaussianBlur(frame, (0, 0), 0.05 + 0.35 * t), everywhere(t > 3)

    return as_case(made())
