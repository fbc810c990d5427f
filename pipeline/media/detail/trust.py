"""Decide where a frame still shows the photo's surface, and how much brighter or darker. All at the sampling size."""

from typing import NamedTuple

import cv2
import numpy as np

BAND = 1.0
"""Pixels, standard deviation. What is finer than this blur is compared: the finest that the model draws, and so the
nearest to what the photo is to add. A motion found half a pixel wrong already shows there."""

WINDOW = 2.5
"""Pixels, standard deviation: over how wide a surrounding the two are compared."""

NOISE = 6.0
"""Grey levels squared: texture weaker than this says nothing either way."""

LIKENESS = 1.5
SHARPNESS = 3.0
FOCUS = 6.0
"""Powers. Detail finer than the compared band suffers more from the same fault: from a motion a little wrong, from a
blur (a fast move). It suffers most from a lens, whose loss grows with the square of the frequency. That blur is even
over wide parts of the picture, so that FOCUS is the power of the sharpness in a wider surrounding, where motions a
little wrong count for less."""

TONE = 12.0
"""Grey levels by which colours may differ, after the light's change, before they belong to something else."""

SOFT_TONE = 18.0
"""The same for the frames of a soft decoder, which makes more of the colours up."""

SURE_TONE = 6.0
"""A soft decoder errs most in strong colours. Where its frame has the photo's texture, the surface is the photo's: each
grey level of common texture allows this many more of colour."""

LIGHT = 4
"""The light is compared on a picture this many times smaller: it changes smoothly, an object's edge does not."""

DARK = 8.0
"""Grey levels added to both sides of a ratio, so that dark places do not blow it up."""

DIMMEST, BRIGHTEST = 0.25, 4.0

LEAST_USUAL = 0.9
"""Of likeness, sharpness and focus in the first frame: below, it is not the photo, and no measure for the others."""

SURE = 70
"""Percentile of the first frame's textured places: where parts of it are not the photo already, the others count."""

SLACK = 0.9
"""A clip's later frames may be this much softer than its first before that counts: models lose some sharpness."""

SMOOTH = 1.5
"""Pixels, standard deviation: trust has no edges of its own that one could see."""


class Trust(NamedTuple):
    """How far the photo's detail can be trusted at each pixel of a frame. Both arrays are float32 (height, width).

    Attributes:
        weight: Share of the photo's detail to add, 0..1.
        light: The frame's brightness divided by the photo's.
    """

    weight: np.ndarray
    light: np.ndarray


class Textures(NamedTuple):
    """The finest texture of a frame compared with the photo's. All arrays are float32 (height, width).

    Attributes:
        likeness: 0..1.
        sharpness: 0..1.
        focus: As sharpness, over a wider neighbourhood, 0..1.
        common: Texture that both have; grey levels, root mean square.
        strength: The photo's own texture; grey levels, root mean square.
    """

    likeness: np.ndarray
    sharpness: np.ndarray
    focus: np.ndarray
    common: np.ndarray
    strength: np.ndarray


class Usual(NamedTuple):
    """What a model attains where it certainly shows the photo: in a clip's first frame. Values 0.7..1.

    Attributes:
        likeness: As in `Textures`.
        sharpness: As in `Textures`.
        focus: As in `Textures`.
        scale: Blur applied to both first, pixels (standard deviation).
    """

    likeness: float = 1.0
    sharpness: float = 1.0
    focus: float = 1.0
    scale: float = 0.0


def usual_in(first: np.ndarray, seen: np.ndarray, scale: float = 0.0) -> Usual:
    """Measure the first frame against the photo.

    Args:
        first: First frame, float32 RGB (height, width, 3), 0..255.
        seen: The photo, likewise.
        scale: As in `Usual`.
    """
    found = _textures(_grey(first, scale), _grey(seen, scale), 1.0, scale)
    attained = (_attained(found, one) for one in (found.likeness, found.sharpness, found.focus))
    return Usual(*(max(LEAST_USUAL, one) for one in attained))._replace(scale=scale)


def agreement(first: np.ndarray, seen: np.ndarray) -> float:
    """Return the likeness of the first frame's and the photo's finest textures, 0..1. Arguments as in `usual_in`."""
    found = _textures(_grey(first, 0.0), _grey(seen, 0.0), 1.0, 0.0)
    return _attained(found, found.likeness)


def _attained(found: Textures, one: np.ndarray) -> float:
    return float(np.percentile(one[found.strength >= np.median(found.strength)], SURE))


def known_in(first: np.ndarray, seen: np.ndarray, usual: Usual) -> np.ndarray:
    """Return where the first frame shows the photo, 0..1, float32 (height, width). Arguments as in `usual_in`."""
    found = _textures(_grey(first, usual.scale), _grey(seen, usual.scale), 1.0, usual.scale)
    return cv2.min(cv2.pow(found.likeness / usual.likeness, LIKENESS), 1.0)  # pyright: ignore[reportArgumentType, reportCallIssue]


def compare(frame: np.ndarray, seen: np.ndarray, inside: np.ndarray, usual: Usual) -> Trust:
    """Compare a frame with the photo, warped into place and reduced and blurred like the frame.

    The finest texture must be the same and as strong: a surface that is covered, has changed, or moves in a way that
    was not found has another one. The colours must match, too. A change of light is followed, as a factor.

    Args:
        frame: float32 RGB (height, width, 3), 0..255.
        seen: The warped photo, likewise.
        inside: float32 (height, width), 0 outside the photo.
        usual: What this clip's model attains.
    """
    here, there = _grey(frame, usual.scale), _grey(seen, usual.scale)
    light = cv2.divide(cv2.add(_wide(here), DARK), cv2.add(_wide(there), DARK))  # pyright: ignore[reportArgumentType, reportCallIssue]
    light = np.clip(light, DIMMEST, BRIGHTEST)
    found = _textures(here, there, light, usual.scale)
    likeness = cv2.min(found.likeness / usual.likeness, 1.0)  # pyright: ignore[reportArgumentType, reportCallIssue]
    sharpness = cv2.min(found.sharpness / (SLACK * usual.sharpness), 1.0)  # pyright: ignore[reportArgumentType, reportCallIssue]
    focus = cv2.min(found.focus / (SLACK * usual.focus), 1.0)  # pyright: ignore[reportArgumentType, reportCallIssue]
    differs = cv2.subtract(frame, cv2.multiply(seen, cv2.merge([light] * 3)))
    limit = SOFT_TONE + SURE_TONE * found.common if usual.scale else TONE
    tone = np.abs(blur(differs, 2 + usual.scale)).max(-1) / limit
    texture = cv2.pow(likeness, LIKENESS) * cv2.pow(sharpness, SHARPNESS) * cv2.pow(focus, FOCUS)
    weight = texture * cv2.exp(-tone * tone) * inside
    return Trust(blur(weight, SMOOTH + usual.scale), light)


def _textures(here: np.ndarray, there: np.ndarray, light: np.ndarray | float, scale: float) -> Textures:
    """Compare the finest texture of two pictures.

    Args:
        here: Grey picture, blurred by `scale`.
        there: Likewise.
        light: Brightness of `here` divided by that of `there`.
        scale: The blur; the compared texture is coarser by as much.
    """
    times = max(1.0, scale)
    ours = cv2.subtract(here, blur(here, BAND * times))
    theirs = cv2.multiply(cv2.subtract(there, blur(there, BAND * times)), light)  # pyright: ignore[reportArgumentType, reportCallIssue]
    products = cv2.merge([cv2.multiply(ours, theirs), cv2.multiply(ours, ours), cv2.multiply(theirs, theirs)])
    both, own, other = cv2.split(blur(products, WINDOW * times))
    noise = NOISE / times
    likeness = np.clip((2 * both + noise) / (own + other + noise), 0, 1)
    sharpness = np.clip((both + noise) / (other + noise), 0, 1)
    focus = np.clip((_wide(both) + noise) / (_wide(other) + noise), 0, 1)
    return Textures(likeness, sharpness, focus, np.sqrt(np.maximum(both, 0)), np.sqrt(other))


def _grey(image: np.ndarray, scale: float) -> np.ndarray:
    return blur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), scale)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Apply a Gaussian blur, standard deviation in pixels; none below a twentieth of a pixel."""
    if sigma < 0.05:
        return image
    side = 2 * max(1, round(3 * sigma)) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)


def _wide(grey: np.ndarray) -> np.ndarray:
    """Blur by six pixels, on a reduced picture for speed."""
    height, width = grey.shape
    small = cv2.resize(grey, (max(1, width // LIGHT), max(1, height // LIGHT)), interpolation=cv2.INTER_AREA)
    return cv2.resize(blur(small, 1.5), (width, height), interpolation=cv2.INTER_LINEAR)
