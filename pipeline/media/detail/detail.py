"""Add the photo's own detail to each frame, wherever the frame still shows the photo's surface.

Models sample small (`mini` 256 × 144, SVD 1024 × 576), and their decoders blur more than the size explains; the photo
has what is missing. For each frame the photo is warped along optical flow (`photo_flow.py`), reduced and blurred like
the frame, and compared with it (`trust.py`). What the photo loses in that reduction is what the frame lacks: it is
added as far as the comparison trusts it, in the frame's light. Everything coarser stays the frame's own, so nothing is
invented where the video has changed; there the frame is plainly enlarged.

The result depends on the frames alone: the only state is the previous frame's flow and trust.
"""

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from .decoder_error import SoftDecoder, is_soft
from .photo_flow import PhotoFlow
from .size import enlarged
from .trust import Trust, blur, compare, usual_in
from .warps import CpuWarps, Warps

BLURS = (0.0, *(0.3 * 1.15**k for k in range(14)))
"""Standard deviations, in drawn pixels, tried for what the decoder blurs: up to 1.8."""

Base = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""What is better than plain enlargement where no reference fits: called with each drawn frame and the share (0..1,
float32 of its size) that the photo does not give, it returns what to add there, float32 RGB of the output's size."""

SHARP = 0.4
"""Drawn pixels. A model that draws at the output's size and blurs less than this needs nothing."""


def with_detail(
    frames: Iterable[np.ndarray],
    photo: np.ndarray,
    base: Base | None = None,
    warps: Callable[[np.ndarray], Warps] = CpuWarps,
) -> Iterator[np.ndarray]:
    """Yield each frame at the photo's size, with its detail. Holds one frame in memory.

    Args:
        frames: uint8 RGB (height, width, 3) of the sampling size; the first one shows the photo.
        photo: uint8 RGB, what the first frame shows, at the output size.
        base: See `Base`.
        warps: Creates the object that warps the photo; `gpu_warps.GpuWarps` does so on a GPU.
    """
    detail: PhotoDetail | None = None
    for frame in frames:
        detail = detail or PhotoDetail(photo, frame, base, warps)
        yield detail.enhance(frame)


class PhotoDetail:
    """Add one clip's photo to its frames. Call `enhance` for each frame in order, the first included."""

    def __init__(
        self,
        photo: np.ndarray,
        first: np.ndarray,
        base: Base | None = None,
        warps: Callable[[np.ndarray], Warps] = CpuWarps,
    ) -> None:
        """Measure how much blurrier the first frame is than the photo, and prepare to warp the photo if needed.

        Args:
            photo: uint8 RGB (height, width, 3) at the output size.
            first: First frame, uint8 RGB of the sampling size.
            base: As in `with_detail`.
            warps: As in `with_detail`.
        """
        self._base = base
        self.size = photo.shape[1], photo.shape[0]
        self.drawn = first.shape[1], first.shape[0]
        small = cv2.resize(photo, self.drawn, interpolation=cv2.INTER_AREA)
        self.softness = measure_blur(small, first)
        self.needed = enlarged(self.drawn, 0, self.size) or self.softness >= SHARP
        if self.needed:
            self._warps = warps(photo)
            sharp, drawn = small.astype(np.float32), first.astype(np.float32)
            seen = blur(sharp, self.softness)
            soft = is_soft(drawn, sharp, self.softness)
            self._decoder = SoftDecoder(drawn, seen, self.softness) if soft else None
            self._usual = self._decoder.usual if self._decoder else usual_in(drawn, seen)
            # A sharp decoder's first frame tells less than the photo: it may have changed already.
            begin = first if self._decoder else np.clip(seen + 0.5, 0, 255).astype(np.uint8)
            self._flow = PhotoFlow(begin, self._decoder is not None)

    def enhance(self, frame: np.ndarray) -> np.ndarray:
        """Return the frame at the photo's size, uint8 RGB. frame: uint8 RGB (height, width, 3) of the sampling size."""
        if not self.needed:
            return plain(frame, self.size)
        flow = self._flow.find(frame)
        moved = self._warps.moved(flow)
        seen = blur(self._warps.drawn(moved, self.drawn), self.softness)
        inside = cv2.resize(self._flow.inside(flow), self.drawn, interpolation=cv2.INTER_LINEAR)
        if self._decoder:
            error, known = self._decoder.moved(flow)
            seen, inside = cv2.add(seen, error), cv2.multiply(inside, known)
        trust = compare(frame.astype(np.float32), seen, inside, self._usual)
        if self._decoder:
            trust = trust._replace(weight=self._decoder.steady(trust.weight, self._flow.step))
        made = self._warps.added(self._rest(frame, seen, trust), moved, trust.weight * trust.light)
        return made if self._base is None else with_base(made, frame, 1 - trust.weight, self._base)

    def _rest(self, frame: np.ndarray, seen: np.ndarray, trust: Trust) -> np.ndarray:
        """Return the frame minus the photo where that is trusted, float32 of the sampling size."""
        if self._decoder:
            return self._decoder.rest(frame.astype(np.float32), seen, trust)
        share = cv2.merge([cv2.multiply(trust.weight, trust.light)] * 3)
        return cv2.subtract(frame, cv2.multiply(seen, share), dtype=cv2.CV_32F)


def with_base(made: np.ndarray, frame: np.ndarray, share: np.ndarray, base: Base) -> np.ndarray:
    """Add what the base gives where the photo gives nothing.

    Args:
        made: The enlarged frame, uint8 RGB.
        frame: The frame, uint8 RGB of the sampling size.
        share: How far the photo is used, 0..1, float32 of the frame's size.
        base: See `Base`.
    """
    large = cv2.resize(share, (made.shape[1], made.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.add(made, cv2.multiply(base(frame, share), cv2.merge([large] * 3)), dtype=cv2.CV_8U)


def plain(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a frame without detail. size: (width, height)."""
    if (frame.shape[1], frame.shape[0]) == size:
        return frame
    return cv2.resize(frame, size, interpolation=cv2.INTER_LANCZOS4)


def measure_blur(photo: np.ndarray, first: np.ndarray) -> float:
    """Return the blur (standard deviation, pixels) that makes the photo most like the first frame. Both uint8 RGB."""
    sharp = photo.astype(np.float32)
    return min(BLURS, key=lambda sigma: cv2.norm(blur(sharp, sigma), first.astype(np.float32), cv2.NORM_L2SQR))
