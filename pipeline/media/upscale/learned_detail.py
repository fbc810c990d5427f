"""Add an upscaler's detail to frames so that it follows the motion instead of flickering.

The network sees one frame at a time. Slight noise makes it produce another texture on the same surface, and thirty of
those per second flicker. So its detail is blended with that of the previous frame, warped along optical flow, as far as
both frames show the same thing there.
"""

import logging
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from ....messages import Message, msg
from ...hardware.malloc import free_memory
from ...hardware.oom import is_oom
from ..interpolate import grid, sample
from .tile_sizes import TileSizes
from .upscaler import Upscaler

log = logging.getLogger(__name__)

KEPT = 0.75
"""Share of the last frame's addition where it surely belongs. Noise between frames falls to sqrt((1-k)/(1+k)): 0.38."""

ASTRAY = 0.7
"""Pixels by which flow there and back may miss before it counts half as much (e⁻¹ at its square)."""

DIFFERS = 10.0
"""Grey levels between the frame and the last one moved into its place, likewise."""

COUNTS = 0.04
"""Share of the result from which it is computed at all."""


class GaveUp(Exception):
    """Memory ran out at the smallest tile: the video must be made without the upscaler."""


class LearnedDetail:
    """Add an upscaler's detail to the frames of one clip. Call `add` for each frame in order.

    Attributes:
        size: (width, height) of the output.
        between: Called after each tile; replaceable. Ends the work by raising.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        size: tuple[int, int],
        sides: TileSizes,
        warn: Callable[[Message], object] = log.warning,
        kept: float = KEPT,
    ) -> None:
        """Prepare for a clip.

        Args:
            upscaler: The loaded network.
            size: (width, height) of the output.
            sides: The tiles' size at each frame.
            warn: Receives a warning for the user.
            kept: Share of the previous frame's detail to keep, 0..1.
        """
        self.size = size
        self.between: Callable[[], None] = lambda: None
        self._upscaler, self._sides, self._warn, self._share = upscaler, sides, warn, kept
        self._count = 0
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def add(self, frame: np.ndarray, share: np.ndarray | None = None) -> np.ndarray:
        """Return the detail to add to the plainly enlarged frame, float32 (height, width, 3) of the output size.

        Args:
            frame: uint8 RGB.
            share: How much of the result will be used, 0..1, (height, width) of the frame's size; unused parts are not
                computed. None = all of it.

        Raises:
            GaveUp: Memory ran out at the smallest tile.
        """
        wanted = None if share is None else share >= COUNTS
        added = self._enlarged(frame, wanted)
        known = np.ones(frame.shape[:2], np.float32) if wanted is None else wanted.astype(np.float32)
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if self._last is not None:
            added = self._steadied(grey, added, known)
        self._last = grey, added, known
        self._count += 1
        return added

    def enlarge(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield each frame at the output size with all of its added detail."""
        for frame in frames:
            plain = cv2.resize(frame, self.size, interpolation=cv2.INTER_LANCZOS4)
            yield cv2.add(plain, self.add(frame), dtype=cv2.CV_8U)

    def _enlarged(self, frame: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
        if wanted is not None and not wanted.any():
            return np.zeros((self.size[1], self.size[0], 3), np.float32)
        large = self._tiled(frame, wanted)
        smaller = large.shape[1] > self.size[0]
        shown = cv2.resize(large, self.size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
        plain = cv2.resize(frame, self.size, interpolation=cv2.INTER_LANCZOS4)
        return cv2.subtract(shown, plain, dtype=cv2.CV_32F)

    def _tiled(self, frame: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
        """Run the network with smaller and smaller tiles until one fits."""
        while True:
            side = self._sides.side(self._count)
            try:
                return self._upscaler.enlarge(frame, side, wanted, self.between)
            except Exception as e:
                if not is_oom(e):
                    raise
            # Outside of `except`: the exception holds the tensors (pytorch #18853).
            free_memory()
            below = self._sides.smaller(self._count)
            if not below:
                raise GaveUp
            self._warn(
                msg(
                    "Out of memory while enlarging; going on with tiles of {side} pixels instead of {before}.",
                    side=below,
                    before=side,
                )
            )

    def _steadied(self, grey: np.ndarray, added: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Blend in the previous frame's detail where this frame shows the same surface."""
        assert self._last is not None
        before, earlier, was_known = self._last
        to_last = self._search.calc(grey, before, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
        to_here = self._search.calc(before, grey, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
        (height, width), (wide, high) = grey.shape, self.size
        places = cv2.add(to_last, grid(width, height))
        astray = cv2.magnitude(*cv2.split(cv2.add(to_last, sample(to_here, places))))
        differs = cv2.blur(cv2.absdiff(grey, sample(before, places)), (3, 3)).astype(np.float32)
        x, y = cv2.split(places)
        inside = ((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)).astype(np.float32)
        weight = np.exp(-((astray / ASTRAY) ** 2) - (differs / DIFFERS) ** 2) * inside
        weight *= (sample(was_known, places) > 0.99) & (known > 0)
        weight = cv2.resize(self._share * cv2.blur(weight, (3, 3)), self.size, interpolation=cv2.INTER_LINEAR)
        scaled = cv2.transform(to_last, np.diag((wide / width, high / height)))
        large = cv2.add(cv2.resize(scaled, self.size, interpolation=cv2.INTER_CUBIC), grid(wide, high))
        moved = cv2.remap(earlier, large, None, cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)  # pyright: ignore[reportCallIssue, reportArgumentType]
        return cv2.blendLinear(moved, added, weight, 1 - weight)
