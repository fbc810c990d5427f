"""Fail a job with a reason instead of delivering black or constant frames."""

import numpy as np
from PIL import Image

from ...errors import RenderError
from ...messages import codes, msg

FLAT_LEVELS = 2
"""A frame whose brightest and darkest pixel differ by no more than this (of 255, in every channel) is constant."""

BLACK_LEVEL = 4
"""A frame in which 99 % of the pixels stay at or under this level is black."""

PICTURE_LEVELS = 16
"""A photo with less contrast than this may well give constant frames, one darker than this black ones."""


class FrameGuard:
    """Check frames against the photo: only a black photo may become a black video."""

    def __init__(self, photo: Image.Image) -> None:
        pixels = np.asarray(photo.convert("RGB").resize((64, 64), Image.Resampling.BOX))
        self.textured = int(np.ptp(pixels, axis=(0, 1)).max()) > PICTURE_LEVELS
        self.bright = float(np.percentile(pixels, 99)) > PICTURE_LEVELS

    def check(self, frames: np.ndarray, first: int) -> None:
        """Check frames of the clip.

        Args:
            frames: uint8 RGB (n, height, width, 3).
            first: Number of the first of them in the clip, 0-based.

        Raises:
            RenderError: A frame is black or of a single colour, and the photo is not.
        """
        for i, frame in enumerate(frames, start=first + 1):
            thin = frame[::2, ::2]
            if self.bright and np.percentile(thin, 99) <= BLACK_LEVEL:
                raise RenderError(
                    msg("frame {number} is black though the photo is not; {advice}", number=i, advice=_ADVICE),
                    code=codes.BROKEN_PICTURE,
                )
            if self.textured and np.ptp(thin, axis=(0, 1)).max() <= FLAT_LEVELS:
                raise RenderError(
                    msg(
                        "frame {number} has a single colour though the photo has not; {advice}",
                        number=i,
                        advice=_ADVICE,
                    ),
                    code=codes.BROKEN_PICTURE,
                )


_ADVICE = msg("the sampled latents are kept: try again with another seed, another size, or another model")
