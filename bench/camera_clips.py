"""Clips whose every in-between frame is known: a virtual camera over photographs. Frames: uint8 RGB, any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SAMPLE = Path(__file__).resolve().parent.parent / "assets" / "sample.jpg"


@dataclass(frozen=True)
class Move:
    """What the camera does from one sampled frame to the next, in units of a frame 1024 pixels wide.

    pan: pixels (x, y). zoom: factor. roll: degrees. sway: amplitude of a sideways swing, pixels.
    layer: a near layer's own motion over the frame, pixels (x, y); None = there is no such layer.
    start: where the layer's middle is at half of the clip, pixels from the frame's middle.
    """

    pan: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    roll: float = 0.0
    sway: float = 0.0
    layer: tuple[float, float] | None = None
    start: tuple[float, float] = (0.0, 0.0)


MOVES = {
    "still": Move(),
    "slow pan": Move(pan=(5.3, 1.1)),
    "fast pan": Move(pan=(26.7, -3.4)),
    "zoom in": Move(zoom=1.021),
    "zoom out": Move(zoom=1 / 1.034, pan=(2.2, 0.0)),
    "roll": Move(roll=1.3),
    "sway": Move(sway=31.0, zoom=1.004),
    "parallax": Move(pan=(-4.1, 0.7), layer=(13.6, 1.9)),
    "fast parallax": Move(pan=(6.2, 0.0), layer=(-33.0, 4.0)),
    "parallax zoom": Move(zoom=1.018, roll=0.4, layer=(9.0, -6.0)),
    "leaving": Move(pan=(-3.3, 0.0), layer=(17.0, 2.0), start=(390.0, 60.0)),
}


def photos() -> dict[str, np.ndarray]:
    """scikit-image's own photographs, as shipped in its wheel, and the project's sample."""
    from skimage import data  # pyright: ignore[reportMissingImports]  (bench/requirements.txt)

    found = {"sample": np.asarray(Image.open(SAMPLE).convert("RGB"))}
    for name in ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "retina"):
        found[name] = np.ascontiguousarray(getattr(data, name)()[..., :3])
    return found


def camera_clip(
    photo: np.ndarray, near: np.ndarray, move: Move, size: tuple[int, int], frames: int, between: int = 2
) -> Iterator[np.ndarray]:
    """Yield `frames` frames of `size` (width, height); `between` of them to one sampled frame's step.

    photo: the background. near: the photo of which the near layer, a soft-edged ellipse, is cut.
    Rendered at twice the size and averaged down, so that the truth itself is free of interpolation's marks.
    """
    unit = size[0] / 1024
    for index in range(frames):
        t = (index - (frames - 1) / 2) / between
        frame = _view(photo, size, t, move, unit)
        if move.layer is not None:
            offset = (move.start[0] + t * move.layer[0]) * unit, (move.start[1] + t * move.layer[1]) * unit
            frame = _over(frame, near, offset, size, move.zoom**t)
        yield np.clip(cv2.resize(frame, size, interpolation=cv2.INTER_AREA) + 0.5, 0, 255).astype(np.uint8)


def _view(photo: np.ndarray, size: tuple[int, int], t: float, move: Move, unit: float) -> np.ndarray:
    """The background as the camera sees it at time t (in sampled frames), float32 at twice the size."""
    width, height = size
    scale = 1.25 * max(2 * width / photo.shape[1], 2 * height / photo.shape[0]) * move.zoom**t
    turn = np.deg2rad(move.roll * t)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    x = (move.pan[0] * t + move.sway * np.sin(t * 0.9)) * unit * 2 + width
    y = move.pan[1] * t * unit * 2 + height
    middle_x, middle_y = photo.shape[1] / 2, photo.shape[0] / 2
    matrix = np.array(
        [[cos, -sin, x - cos * middle_x + sin * middle_y], [sin, cos, y - sin * middle_x - cos * middle_y]]
    )
    double = (2 * width, 2 * height)
    return cv2.warpAffine(
        photo.astype(np.float32), matrix, double, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def _over(
    back: np.ndarray, near: np.ndarray, offset: tuple[float, float], size: tuple[int, int], zoom: float
) -> np.ndarray:
    """Lay the near layer over the background, `offset` pixels (of the final size) from the middle."""
    width, height = size
    scale = 1.1 * height / near.shape[0] * zoom
    x = width + 2 * offset[0] - scale * near.shape[1] / 2
    y = height + 2 * offset[1] - scale * near.shape[0] / 2
    matrix = np.array([[scale, 0.0, x], [0.0, scale, y]])
    double = (2 * width, 2 * height)
    mask = np.zeros(near.shape[:2], np.float32)
    middle = (near.shape[1] // 2, near.shape[0] // 2)
    cv2.ellipse(mask, middle, (near.shape[1] // 3, near.shape[0] // 3), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.0)
    alpha = cv2.warpAffine(mask, matrix, double, flags=cv2.INTER_LINEAR)[..., None]
    colour = cv2.warpAffine(near.astype(np.float32), matrix, double, flags=cv2.INTER_CUBIC)
    return back * (1 - alpha) + colour * alpha
