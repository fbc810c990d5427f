"""Compute output size and sampling size, and fit a photo to the latter. All sizes in pixels."""

from math import log, sqrt

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from ...presets import ModelPreset, Resolution
from ...presets.options import AS_PHOTO, ShapeName
from ..request import Fit

MULTIPLE = 8
"""Sides must divide by this: the VAE's factor in SVD, and even numbers for H.264's 4:2:0."""

WIDEST = 2.4
"""Long side over short side of a clip; panoramas are cropped (or padded) to this cinema shape."""

SAME_SHAPE = log(1.04)
"""A photo within 4 % of the preset's shape gets exactly the preset's size: the strip that is cut off is hardly seen."""

SAME_GRID = log(1.015)
"""Within 1.5 % of the model's shape it draws at its native size; the scaling afterwards hides no more than that."""

TRIM = log(1.01)
"""Padding for less than 1 % would draw a thin blurred line instead of dropping a few pixels."""


def output_size(photo_size: tuple[int, int], resolution: Resolution, shape: ShapeName = AS_PHOTO) -> tuple[int, int]:
    """Return the clip's (width, height): the preset's pixel area in the requested shape, sides divisible by 8.

    A shape near the preset's, landscape or portrait, gives exactly the preset's size. A clip's own frame as photo gives
    the clip's size again, so that the new video can be joined to the clip.

    Args:
        photo_size: (width, height) of the photo.
        resolution: The preset.
        shape: The requested shape.
    """
    base = resolution.width, resolution.height
    if shape != AS_PHOTO:
        return _shaped(_aspect(shape), base, SAME_SHAPE)
    # Rounding to the grid may move a shape over the edge of `SAME_SHAPE`, or into another rounding and back again.
    seen: list[tuple[int, int]] = []
    size = photo_size
    while (size := _shaped(_limited_aspect(size), base, SAME_SHAPE)) not in seen:
        seen.append(size)
    return min(seen[seen.index(size) :], key=lambda one: one[0] * one[1])


def sampling_size(output: tuple[int, int], model: ModelPreset, multiple: int = MULTIPLE) -> tuple[int, int]:
    """Return the sampling size (width, height): the output's shape, the smaller of native and output area.

    Exactly the native size if the shape is the model's own; exactly the output if that is the smaller one.

    Args:
        output: Output size (width, height).
        model: The model's preset.
        multiple: Both sides must be multiples of this.
    """
    width, height = output
    if width * height > model.width * model.height:
        return _shaped(width / height, (model.width, model.height), SAME_GRID, multiple)
    on_grid = width % multiple == 0 and height % multiple == 0
    return output if on_grid else _rounded(width / height, width * height, multiple)


def fit_photo(image: Image.Image, size: tuple[int, int], fit: Fit, position: float = 0.5) -> Image.Image:
    """Return the RGB photo at exactly `size`.

    Args:
        image: The photo.
        size: (width, height).
        fit: `crop` covers the frame and cuts the rest; `pad` keeps the whole photo on a blurred, darker copy of itself.
        position: Part of the photo that a crop keeps, 0 (left or top) to 1 (right or bottom).
    """
    aspect, wanted = image.width / image.height, size[0] / size[1]
    cover = ImageOps.fit(image, size, Image.Resampling.LANCZOS, centering=(position, position))
    if fit == "crop" or abs(log(aspect / wanted)) <= TRIM:
        return cover
    background = _backdrop(cover)
    whole = ImageOps.contain(image, size, Image.Resampling.LANCZOS)
    background.paste(whole, ((size[0] - whole.width) // 2, (size[1] - whole.height) // 2))
    return background


def _backdrop(cover: Image.Image) -> Image.Image:
    """Blur the backdrop at an eighth of the size, which looks like a wide blur at full size and is much faster."""
    small = cover.resize((max(1, cover.width // 8), max(1, cover.height // 8)), Image.Resampling.BOX)
    blurred = small.filter(ImageFilter.GaussianBlur(max(small.size) / 30))
    return ImageEnhance.Brightness(blurred.resize(cover.size, Image.Resampling.BICUBIC)).enhance(0.7)


def _aspect(shape: ShapeName) -> float:
    width, _, height = shape.partition(":")
    return int(width) / int(height)


def _limited_aspect(size: tuple[int, int]) -> float:
    return min(max(size[0] / size[1], 1 / WIDEST), WIDEST)


def _shaped(aspect: float, base: tuple[int, int], tolerance: float, multiple: int = MULTIPLE) -> tuple[int, int]:
    """Return `base`, possibly rotated by 90°, if the shape matches; else its area in the aspect ratio `aspect`."""
    for width, height in (base, base[::-1]):
        if abs(log(aspect * height / width)) <= tolerance:
            return width, height
    return _rounded(aspect, base[0] * base[1], multiple)


def _rounded(aspect: float, area: int, multiple: int) -> tuple[int, int]:
    """Return a size of about that area and aspect ratio whose sides are multiples of `multiple`."""
    exact = sqrt(area * aspect), sqrt(area / aspect)
    widths, heights = ([max(multiple, int(side // multiple) * multiple + k) for k in (0, multiple)] for side in exact)

    def error(size: tuple[int, int]) -> tuple[float, int]:
        """Return the error of a size. The aspect ratio counts most: distortion is visible, a few pixels are not.

        Ties, which rounding would decide, go to the smaller size, so that a rotated photo gets a rotated clip.
        """
        pixels = size[0] * size[1]
        return round(4 * abs(log(size[0] / size[1] / aspect)) + abs(log(pixels / area)), 9), pixels

    return min(((w, h) for w in widths for h in heights), key=error)
