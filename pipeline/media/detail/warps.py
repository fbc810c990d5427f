"""Warp a photo and add its detail to a frame: the work of `detail.py` at the output size, on the CPU."""

from typing import Any, Protocol

import cv2
import numpy as np

from ..interpolate import grid, half_pixels, sample


class Warps(Protocol):
    """Warp one photo and add it to frames. The result of `moved` is only for the other two methods."""

    def moved(self, flow: np.ndarray) -> Any:
        """Warp the photo to a frame.

        Args:
            flow: Frame -> photo, in pixels of its own size, float32 (height, width, 2).
        """
        ...

    def drawn(self, moved: Any, size: tuple[int, int]) -> np.ndarray:
        """Reduce a warped photo to the sampling size (width, height), float32 RGB, 0..255."""
        ...

    def added(self, rest: np.ndarray, moved: Any, share: np.ndarray) -> np.ndarray:
        """Return rest + share * moved, each enlarged to the output size: uint8 RGB.

        Args:
            rest: float32 RGB of the sampling size.
            moved: The warped photo.
            share: float32 (height, width) of the sampling size.
        """
        ...


class CpuWarps:
    """`Warps` with OpenCV. A warped photo is RGBA, uint8, at the output size."""

    def __init__(self, photo: np.ndarray) -> None:
        """Prepare the photo's half-pixels. photo: uint8 RGB (height, width, 3) at the output size."""
        self.size = photo.shape[1], photo.shape[0]
        self._fine = half_pixels(photo)

    def moved(self, flow: np.ndarray) -> np.ndarray:
        """See `Warps`."""
        (width, height), (small_height, small_width) = self.size, flow.shape[:2]
        scaled = cv2.transform(flow, np.diag((2 * width / small_width, 2 * height / small_height)))
        places = cv2.resize(scaled, self.size, interpolation=cv2.INTER_CUBIC)
        return sample(self._fine, cv2.add(places, grid(width, height, 2), dst=places))

    def drawn(self, moved: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """See `Warps`."""
        small = cv2.resize(moved, size, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_RGBA2RGB).astype(np.float32)

    def added(self, rest: np.ndarray, moved: np.ndarray, share: np.ndarray) -> np.ndarray:
        """See `Warps`. What the photo loses by the reduction is added to the frame."""
        rest = cv2.resize(rest, self.size, interpolation=cv2.INTER_LANCZOS4)
        large = cv2.resize(share, self.size, interpolation=cv2.INTER_LINEAR)
        moved = cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB)
        return cv2.add(rest, cv2.multiply(moved, cv2.merge([large] * 3), dtype=cv2.CV_32F), dtype=cv2.CV_8U)
