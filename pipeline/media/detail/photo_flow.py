"""Find where each point of a frame lies in the photo: dense optical flow, tracked from frame to frame."""

import cv2
import numpy as np

from ..interpolate import grid, sample
from .even_flow import evened

FLOW_SIDES = 512, 768
"""Pixels of the long side at which flow is found, at least and at most: twice what `mini` draws, three
quarters of what SVD draws."""

LARGEST = 2.0
"""Times what is drawn: a search in pictures enlarged further finds nothing more."""

FINER = 1.2
"""Between them: times what is drawn. At 512 pixels a zoom or a roll drawn 640 wide loses 2 dB."""

EVEN = 5.0
"""Pixels, standard deviation, by which the flow of a soft decoder's frames is blurred: it errs from place to place."""


class PhotoFlow:
    """Track the flow from each frame of a clip to the photo. Call `find` once for each frame, in order.

    The search starts from the previous frame's flow, advanced by the motion since. So fast pans are followed as far as
    the photo reaches (2 to 3 dB over 24 frames against a search that starts from zero).

    Attributes:
        size: (width, height) of the flow.
        step: Motion from the latest frame to the one before, in pixels of `size`; None for the first frame.
    """

    def __init__(self, photo: np.ndarray, soft: bool = False) -> None:
        """Choose the size of the search, and prepare the photo for it.

        Args:
            photo: uint8 RGB (height, width, 3), blurred like the frames: the search works best between equals.
            soft: The decoder blurs and adds artefacts, which a fine search would follow. The first frame then serves as
                photo.
        """
        drawn = max(photo.shape[:2])
        scale = min(max(FINER * drawn, FLOW_SIDES[0]), FLOW_SIDES[1], LARGEST * drawn) / drawn
        self.size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
        self._photo = self._grey(photo)
        self._soft = soft
        # Each its own: not thread-safe, and with a memory of the last pictures' size.
        self._to_photo, self._between = _fine_search(2 if soft else 1), _quick_search()
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self.step: np.ndarray | None = None

    def find(self, frame: np.ndarray) -> np.ndarray:
        """Return the flow frame -> photo in pixels of `size`, float32 (height, width, 2).

        Args:
            frame: uint8 RGB (height, width, 3) in the photo's aspect ratio, any size.
        """
        now = self._grey(frame)
        start = None
        if self._last is not None:
            last, flow = self._last
            step = self._between.calc(now, last, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
            start = cv2.add(step, sample(flow, cv2.add(step, grid(*self.size))))
            self.step = step
        flow = self._to_photo.calc(now, self._photo, start)  # pyright: ignore[reportCallIssue, reportArgumentType]
        if self._soft:
            flow = cv2.GaussianBlur(flow, (0, 0), EVEN, borderType=cv2.BORDER_REFLECT_101)
        else:
            flow = evened(flow, self.inside(flow))
        self._last = now, flow
        return flow

    def inside(self, flow: np.ndarray) -> np.ndarray:
        """Return 1 for points well inside the photo, 0 at its edge and beyond, float32 (height, width)."""
        x, y = cv2.split(cv2.add(flow, grid(*self.size)))
        width, height = self.size
        margin = cv2.min(cv2.min(x, width - 1 - x), cv2.min(y, height - 1 - y))
        return np.clip(margin / 2, 0, 1)

    def _grey(self, image: np.ndarray) -> np.ndarray:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        smaller = self.size[0] < grey.shape[1]
        return cv2.resize(grey, self.size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _fine_search(finest: int) -> cv2.DISOpticalFlow:
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(finest)
    dis.setGradientDescentIterations(16)
    dis.setPatchStride(4)
    return dis


def _quick_search() -> cv2.DISOpticalFlow:
    """Create the fast flow search between two frames, whose result initialises the other search."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(2)
    dis.setGradientDescentIterations(12)
    dis.setPatchStride(5)
    dis.setVariationalRefinementIterations(2)
    return dis
