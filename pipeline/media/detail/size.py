"""Decide from sizes alone whether a photo has detail that a video lacks, and crop the photo to what the video shows."""

from PIL import Image

from ...request import Fit
from ..sizes import fit_photo

LARGER = 1.1
"""Output size over drawn size from which every model's frames lack detail."""

FINER = 1.2
"""Photo pixels for each drawn one, along a side, from which the photo has detail to give."""


def enlarged(drawn: tuple[int, int], trim: int, size: tuple[int, int]) -> bool:
    """Tell whether the output has more pixels than the sampled frames.

    Args:
        drawn: Sampling size (width, height).
        trim: Pixels cut off each edge of the sampled frames.
        size: Output size (width, height).
    """
    return size[0] > LARGER * (drawn[0] - 2 * trim)


def too_small(photo: tuple[int, int], drawn: tuple[int, int], fit: Fit) -> bool:
    """Tell whether the photo has about as few pixels as the sampled frames.

    Args:
        photo: (width, height) of the photo.
        drawn: Sampling size (width, height).
        fit: How the photo is fitted.
    """
    across, down = photo[0] / drawn[0], photo[1] / drawn[1]
    return (max if fit == "pad" else min)(across, down) < FINER


def gives_detail(photo: tuple[int, int], drawn: tuple[int, int], trim: int, size: tuple[int, int], fit: Fit) -> bool:
    """Tell whether the photo certainly gives detail. At the sampling size the first frame's blur decides later.

    Args:
        photo: (width, height) of the photo.
        drawn: Sampling size (width, height).
        trim: Pixels cut off each edge of the sampled frames.
        size: Output size (width, height).
        fit: How the photo is fitted.
    """
    return enlarged(drawn, trim, size) and not too_small(photo, drawn, fit)


def photo_for_detail(
    image: Image.Image,
    drawn: tuple[int, int],
    trim: int,
    size: tuple[int, int],
    fit: Fit,
    position: float = 0.5,
) -> Image.Image:
    """Return the part of the photo that the first frame shows, at the output size, with the photo's own detail.

    Args:
        image: The whole photo, RGB.
        drawn: Sampling size (width, height).
        trim: Pixels cut off each edge of the sampled frames.
        size: Output size (width, height).
        fit: How the photo was fitted to the sampling size.
        position: See `sizes.fit_photo`.
    """
    inner = drawn[0] - 2 * trim, drawn[1] - 2 * trim
    # Fitted in the shape that is drawn: the output's may differ by a few pixels, over which the frames are stretched.
    scale = max(size[0] / inner[0], size[1] / inner[1])
    large = fit_photo(image, (round(drawn[0] * scale), round(drawn[1] * scale)), fit, position)
    across, down = trim * large.width / drawn[0], trim * large.height / drawn[1]
    if not trim and large.size == size:
        return large
    return large.resize(size, Image.Resampling.LANCZOS, (across, down, large.width - across, large.height - down))
