"""Reduce the error of optical flow: single patches err by a tenth of a pixel, the average of many errs less."""

import cv2
import numpy as np

from ..interpolate import camera_motion, grid

WIDE = 16.0
"""Pixels, standard deviation, of the surroundings."""

NEAR = 0.5
"""Pixels. A motion that differs from its surroundings' by as much is half its own: a thing that moves by itself."""

LESS = 4
"""The surroundings' motion is found on a picture this many times smaller."""

FAR = 9.0
"""Pixels astray that tell `camera_motion` not to count a point."""


def evened(flow: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Smooth the flow where it hardly differs from its surroundings.

    The camera's motion, an affine one, is removed first and added back afterwards: a zoom's flow grows from the centre,
    and blurring would change it at the edges.

    Args:
        flow: float32 (height, width, 2).
        inside: 0..1, float32 (height, width): where the flow leads into the photo. Flow elsewhere is ignored.
    """
    height, width = flow.shape[:2]
    astray = FAR * (1 - inside)
    camera = cv2.transform(grid(width, height), camera_motion(flow, astray)).astype(np.float32)
    own = cv2.subtract(flow, camera)
    x, y = cv2.split(own)
    wide = _wide(cv2.merge([cv2.multiply(x, inside), cv2.multiply(y, inside), inside]))
    mean = wide[..., :2] / np.maximum(wide[..., 2:], 1e-3)
    differs = cv2.subtract(own, mean)
    x, y = cv2.split(differs)
    own_share = 1 - cv2.exp((x * x + y * y) / -(NEAR * NEAR))
    return camera + mean + differs * own_share[..., None]


def _wide(image: np.ndarray) -> np.ndarray:
    """Blur by WIDE."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // LESS), max(1, height // LESS)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), WIDE / LESS, borderType=cv2.BORDER_REFLECT_101)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
