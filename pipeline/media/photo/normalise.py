"""Decode an opened photo into RGB: 8 bits, sRGB, upright, on white, of a bounded size."""

import io
import logging
import math
from typing import Any

from PIL import ExifTags, Image, ImageChops, ImageCms

from ....errors import PhotoError
from ....messages import Message, msg
from .colour import ADOBE_RGB, Colours
from .jpeg import missing_share
from .photo_file import PhotoFile

log = logging.getLogger(__name__)

MIN_SIDE = 64
"""Pixels. Below, there is nothing to animate."""

SHORT_SIDE, LONG_SIDE = 1536, 4096
"""Pixels; larger photos are reduced. A square 1080p clip has 1440 × 1440."""

MOST_MISSING = 0.25
"""Share of a JPEG's rows that may be missing at its end; they are cut off, and the person is told."""

GREY_LEVELS = 8
"""Of 255, between the channels of a grey picture at most."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation; 1 lies as it should."""


def normalise(image: Image.Image, file: PhotoFile, name: str) -> tuple[Image.Image, tuple[Message, ...]]:
    """Decode and convert a photo. It is reduced as early as its mode allows, to save memory.

    Args:
        image: opened, not yet decoded.
        file: what is known of its bytes.
        name: for messages.

    Returns:
        The picture without metadata, and notes for the user.

    Raises:
        PhotoError: the photo cannot be used. Decoders may raise any other error.
    """
    asked = _bounded(image.size)
    image.draft(None, asked)  # JPEG only: decode at 1/2, 1/4 or 1/8
    profile = file.profile or image.info.get("icc_profile")
    notes: tuple[Message, ...] = ()
    deep = _deep_srgb(file.data, _bounded(image.size), file.colours) if file.deep and file.colours else None
    if deep is not None:
        exif = _exif(image)
        rgb, alpha = deep
    else:
        image.load()
        exif = _exif(image)
        if file.cut:
            image, notes = _without_end(image, file, asked, name)
        elif file.grey is not None and image.mode.startswith(("I", "F")):
            image = file.grey()
        colours = None if profile else file.colours or _exif_colours(exif)
        rgb, alpha = _eight_bit_srgb(image, profile, colours)
    if alpha is not None:
        if alpha.getextrema() == (0, 0):
            raise PhotoError(msg("{name} is completely transparent; choose a photo with something on it", name=name))
        white = Image.new("RGB", rgb.size, "white")
        white.paste(rgb, mask=alpha)
        rgb = white
    turn = TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    return bare(rgb if turn is None else rgb.transpose(turn)), notes


def bare(image: Image.Image) -> Image.Image:
    """Return the pixels in a new image, without EXIF, XMP, comments and profile."""
    new = Image.new("RGB", image.size)
    new.paste(image)
    return new


def _bounded(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size (pixels) reduced to fit SHORT_SIDE and LONG_SIDE, never enlarged."""
    short, long = sorted(size)
    scale = min(1.0, SHORT_SIDE / short, LONG_SIDE / long)
    width, height = (max(MIN_SIDE, round(side * scale)) for side in size)
    return width, height


def _without_end(
    image: Image.Image, file: PhotoFile, asked: tuple[int, int], name: str
) -> tuple[Image.Image, tuple[Message, ...]]:
    """Cut off the rows that a truncated JPEG lacks. Raise OSError if they are too many.

    asked: the size (pixels) for which `image` was decoded at a half or less.
    """
    missing = missing_share(image, file.data, asked)
    if missing > MOST_MISSING:
        raise OSError(f"{missing:.0%} of the rows are missing")
    if not missing:
        return image, ()
    left = image.crop((0, 0, image.width, round(image.height * (1 - missing))))
    return left, (
        msg(
            "the end of {name} is missing: {share} % of the picture was cut off",
            name=name,
            share=math.ceil(missing * 100),
        ),
    )


def _deep_srgb(data: bytes, most: tuple[int, int], colours: Colours) -> tuple[Image.Image, Image.Image | None] | None:
    """Return RGB and alpha from more than 8 bits a channel; None where the picture has no more."""
    from .values.deep_pixels import deep_pixels  # with numpy and OpenCV, which few photos need
    from .values.grey import scaled_grey
    from .values.to_srgb import to_srgb

    deep = deep_pixels(data, most)
    if deep is None:
        return None
    return to_srgb(deep[..., :3], colours), scaled_grey(deep[..., 3], 65535.0) if deep.shape[2] == 4 else None


def _eight_bit_srgb(
    image: Image.Image, profile: bytes | None, colours: Colours | None
) -> tuple[Image.Image, Image.Image | None]:
    """Return RGB and alpha of a picture of any other kind."""
    picture = _eight_bit(image)
    if (target := _bounded(picture.size)) != picture.size:
        picture = picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)
    alpha = None
    if picture.mode in ("RGBA", "LA"):
        alpha = picture.getchannel("A")
        picture = picture.convert(picture.mode[:-1])
    if colours is not None and picture.mode in ("L", "RGB"):
        from .values.to_srgb import to_srgb  # with numpy

        return to_srgb(picture.convert("RGB"), colours), alpha
    return _by_profile(picture, profile), alpha


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring any of Pillow's modes to L, LA, RGB, RGBA, CMYK or LAB with 8 bits a channel."""
    if image.mode.startswith("I"):
        from .values.grey import scaled_grey  # with numpy

        return scaled_grey(image, 65535.0)
    if image.mode == "PA" or (image.mode not in ("RGBA", "LA") and image.has_transparency_data):
        return image.convert("RGBA")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _exif(image: Image.Image) -> Any:
    """Return the EXIF tags; none if they are broken."""
    try:
        return image.getexif()
    except Exception as e:  # EXIF is free-form bytes: struct.error, KeyError, SyntaxError, TypeError, …
        log.info("EXIF ignored: %r", e)
        return Image.Exif()


def _exif_colours(exif: Any) -> Colours | None:
    """Adobe RGB, which cameras name so (DCF 2.0) instead of by a profile."""
    try:
        if ExifTags.IFD.Interop not in exif.get_ifd(ExifTags.IFD.Exif):
            return None
        named = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    except Exception as e:  # as above
        log.info("EXIF interoperability ignored: %r", e)
        return None
    return ADOBE_RGB if named == "R03" else None


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the embedded ICC profile; without one, or with a broken one, by Pillow's plain formulas."""
    if image.mode == "LAB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if profile:
        try:
            return _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as e:
            log.info("colour profile ignored: %s", e)
    return image.convert("RGB")


def _converted(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    profile: Any = source.profile  # Pillow's stub says it is a file
    space = profile.xcolor_space.strip()
    if space == "GRAY" and image.mode != "L":
        if _has_colours(image):
            raise ValueError("a profile of grey for a picture with colours")
        image = image.convert("L")
    elif space == "RGB" and image.mode == "L":
        image = image.convert("RGB")  # a grey PNG may carry an RGB profile
    target = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    result = ImageCms.profileToProfile(image, source, target, renderingIntent=intent, outputMode="RGB", flags=flags)
    return result if result is not None else image.convert("RGB")


def _has_colours(image: Image.Image) -> bool:
    """Tell whether channels differ by more than a JPEG's rounding does in a grey picture."""
    red, *others = image.convert("RGB").split()
    return any(ImageChops.difference(red, other).getextrema()[1] > GREY_LEVELS for other in others)  # type: ignore[operator]
