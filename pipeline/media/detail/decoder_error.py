"""Measure what a soft decoder does to the photo, from the first frame, and apply it to the photo in later frames.

A small model's decoder blurs by more than a pixel, shifts colours, and adds ringing. Compared with the photo pixel by
pixel, its frames differ everywhere. But the first frame shows the photo itself, so its difference is the decoder's
error. The error is warped along with the photo, and each frame is compared with what this decoder would make of the
photo, on a coarser scale that the decoder still reproduces.
"""

import cv2
import numpy as np

from ..interpolate import grid
from .trust import BAND, Trust, agreement, blur, known_in, usual_in

SOFT, SOFTEST = 0.6, 0.9
"""Drawn pixels, standard deviation. Up to the first a decoder counts as sharp. Above the second it counts as soft: its
finest pixels show nothing to compare. Between them it depends on what they show."""

ALIKE = 0.95
"""How alike to the blurred photo's the finest texture of a sharp decoder's first frame is, at least. `mini`'s agrees to
0.78 to 0.90, a plain blur's to 0.99."""

SCALE, LEAST_SCALE = 1.5, 1.8
"""The scale of the comparison: times the blur, and drawn pixels at least. `mini`'s first frames agree with the photo to
0.96 there."""

SPREAD = 2.0
"""Times the blur: what is finer than this is the photo's where it is trusted, for there the decoder's marks are."""

HOLD, LOSS = 0.6, 0.15
"""How much of the last frame's trust stays, so that nothing flickers. Where trust is lost, less of it stays: a third of
HOLD at a loss of LOSS, nothing at twice that, so that the photo does not shine through what comes in front."""

FAINT = 0.85
"""How strong a soft decoder's finest texture is at most, of the photo's: `mini`'s 0.43 to 0.74. A first frame that is
not the photo any more is most like a blurred one, too, but it is as sharp (1.0)."""


def is_soft(first: np.ndarray, photo: np.ndarray, softness: float) -> bool:
    """Tell whether a decoder blurs its frames and adds artefacts in place of the photo's finest texture.

    Args:
        first: First frame, float32 RGB of the sampling size.
        photo: The photo, likewise.
        softness: The blur that makes the photo most like the first frame, pixels (standard deviation).
    """
    if softness <= SOFT or _fine(first) >= FAINT * _fine(photo):
        return False
    return softness > SOFTEST or agreement(first, blur(photo, softness)) < ALIKE


def _fine(image: np.ndarray) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(cv2.norm(cv2.subtract(grey, blur(grey, BAND))))


class SoftDecoder:
    """The error of one clip's decoder.

    Attributes:
        usual: What the decoder attains in the first frame, for `compare`.
    """

    def __init__(self, first: np.ndarray, seen: np.ndarray, softness: float) -> None:
        """Measure the error.

        Args:
            first: First frame, float32 RGB (height, width, 3).
            seen: The photo, reduced and blurred to match, likewise.
            softness: That blur, pixels (standard deviation).
        """
        self.usual = usual_in(first, seen, max(SCALE * softness, LEAST_SCALE))
        self._spread = SPREAD * softness
        self._last: np.ndarray | None = None
        # Four planes that move together: the error in three colours, and where the first frame is the photo at all.
        self._planes = cv2.merge([*cv2.split(cv2.subtract(first, seen)), known_in(first, seen, self.usual)])

    def moved(self, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Warp the decoder's error and the mask of where the first frame was the photo, 0..1.

        Args:
            flow: Frame -> photo, in pixels of its own size, float32 (height, width, 2).
        """
        *error, known = cv2.split(_moved(self._planes, flow))
        return cv2.merge(error), known

    def steady(self, weight: np.ndarray, step: np.ndarray | None) -> np.ndarray:
        """Blend the trust with the previous frame's, to avoid flicker. Call it once for each frame, in order.

        Args:
            weight: float32 (height, width), 0..1.
            step: Motion to the previous frame, as the flow in `moved`; None for the first frame.
        """
        if self._last is not None and step is not None:
            last = _moved(self._last, step)
            loss = np.maximum(last - weight, 0) / LOSS
            weight = weight + HOLD * cv2.exp(-loss * loss) * (last - weight)
        self._last = weight
        return weight

    def rest(self, frame: np.ndarray, seen: np.ndarray, trust: Trust) -> np.ndarray:
        """Return the frame minus the photo where that is trusted; where they differ, only its coarse part.

        Args:
            frame: float32 RGB of the sampling size.
            seen: The warped photo with the decoder's error, likewise.
            trust: How far the photo is trusted.
        """
        differs = cv2.subtract(frame, cv2.multiply(seen, cv2.merge([trust.light] * 3)))
        coarse = cv2.subtract(blur(differs, self._spread), frame)
        return cv2.add(frame, cv2.multiply(coarse, cv2.merge([trust.weight] * 3)))


def _moved(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scaled = cv2.transform(flow, np.diag((width / flow.shape[1], height / flow.shape[0])))
    places = cv2.add(cv2.resize(scaled, (width, height), interpolation=cv2.INTER_LINEAR), grid(width, height))
    x, y = cv2.split(places)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
