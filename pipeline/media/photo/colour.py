"""Convert colours that a file declares by code points, gamma or chromaticities to sRGB; ICC is `ImageCms`'s work."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

Point = tuple[float, float]
"""CIE 1931 x, y."""

D65: Point = (0.3127, 0.3290)

SRGB, PQ, HLG, SMPTE_240M, DCI = "sRGB", "PQ", "HLG", "SMPTE 240M", "DCI"
"""Transfer functions that are more than a power."""

HDR_WHITE = 203.0
"""cd/m² of a white sheet of paper in PQ and HLG pictures (ITU-R BT.2408). It becomes sRGB's white."""

KNEE = 0.6
"""Linear light, of sRGB's white: highlights above are compressed where an HDR picture has light beyond white."""

BAND = 64
"""Rows converted at once, which bounds the memory of the float values."""


@dataclass(frozen=True)
class Colours:
    """What the numbers of a picture mean.

    Attributes:
        primaries: chromaticities of red, green, blue and white.
        transfer: one of the names above, or the exponent that turns a value (0 to 1) into linear light.
        full_range: False if black is 16/255 and white 235/255.
    """

    primaries: tuple[Point, Point, Point, Point]
    transfer: str | float
    full_range: bool = True


BT709 = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
SMPTE_170M = ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), D65)
PRIMARIES: dict[int, tuple[Point, Point, Point, Point]] = {
    1: BT709,
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: SMPTE_170M,
    7: SMPTE_170M,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.310, 0.316)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    10: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65),
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), D65),
}
"""ColourPrimaries of ITU-T H.273. What is not here (unspecified, reserved) is taken for sRGB's, as browsers do."""

TRANSFERS: dict[int, str | float] = {4: 2.2, 5: 2.8, 7: SMPTE_240M, 8: 1.0, 16: PQ, 17: DCI, 18: HLG}
"""TransferCharacteristics of ITU-T H.273. Those of video cameras (1, 6, 14, 15) are shown as sRGB, as browsers do."""

ADOBE_RGB = Colours(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65), 563 / 256)


def from_code_points(primaries: int, transfer: int, full_range: bool = True) -> Colours | None:
    """Return the colours of ITU-T H.273 code points; None if they are sRGB's or unspecified."""
    found = Colours(PRIMARIES.get(primaries, BT709), TRANSFERS.get(transfer, SRGB), full_range)
    return None if found == Colours(BT709, SRGB) else found


def to_srgb(values: np.ndarray, colours: Colours) -> Image.Image:
    """Convert a picture to sRGB. An HDR picture with light beyond white is tone-mapped.

    Args:
        values: uint8 or uint16, (height, width, 3).
        colours: what the values mean.

    Returns:
        RGB, 8 bits a channel.
    """
    matrix = _matrix(colours.primaries)
    peak = 1.0
    if colours.transfer in (PQ, HLG):
        step = max(1, round((values.shape[0] * values.shape[1] / 500_000) ** 0.5))
        peak = float(np.percentile(_linear(values[::step, ::step], colours, matrix).max(axis=2), 99.95))
    out = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), BAND):
        light = _linear(values[top : top + BAND], colours, matrix)
        if peak > 1.0:
            light = _compress(light, peak)
        out[top : top + BAND] = _encode(light)
    return Image.fromarray(out)


def _linear(values: np.ndarray, colours: Colours, matrix: np.ndarray) -> np.ndarray:
    """Return linear light in sRGB's primaries; 1.0 is sRGB's white. Values outside of its gamut are beyond 0 to 1."""
    signal = values.astype(np.float32) / np.iinfo(values.dtype).max
    if not colours.full_range:
        signal = np.clip((signal * 255 - 16) / 219, 0, 1)
    light = _decode(signal, colours)
    return light @ matrix.T.astype(np.float32)


def _decode(signal: np.ndarray, colours: Colours) -> np.ndarray:
    """Return a signal (0 to 1) as linear light of the picture's own primaries."""
    transfer = colours.transfer
    if isinstance(transfer, float):
        return signal**transfer
    if transfer == PQ:  # SMPTE ST 2084
        root = signal ** np.float32(32 / 2523)
        ratio = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
        return ratio ** np.float32(16384 / 2610) * (10_000 / HDR_WHITE)
    if transfer == HLG:  # ITU-R BT.2100, on its reference display of 1000 cd/m²
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        luminance = scene @ _to_xyz(colours.primaries)[1].astype(np.float32)
        return scene * luminance[..., None] ** np.float32(0.2) * (1000 / HDR_WHITE)
    if transfer == SMPTE_240M:
        return np.where(signal < 0.0912, signal / 4, ((signal + 0.1115) / 1.1115) ** (1 / 0.45))
    if transfer == DCI:  # SMPTE ST 428-1
        return signal**2.6 * (52.37 / 48)
    return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)


def _compress(light: np.ndarray, peak: float) -> np.ndarray:
    """Map 0…peak to 0…1: unchanged below KNEE, then Reinhard's curve, with the same slope where they meet.

    All three channels are scaled by one factor, so that hues stay.
    """
    brightest = light.max(axis=2, keepdims=True)
    above, white = (brightest - KNEE) / (1 - KNEE), (peak - KNEE) / (1 - KNEE)
    curve = KNEE + (1 - KNEE) * above * (1 + above / white**2) / (1 + above)
    return np.where(brightest > KNEE, light * (np.minimum(curve, 1.0) / np.maximum(brightest, KNEE)), light)


def _encode(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    signal = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (signal * 255 + 0.5).astype(np.uint8)


def _matrix(primaries: tuple[Point, Point, Point, Point]) -> np.ndarray:
    """Return the matrix to sRGB's linear light; another white is adapted to D65 (Bradford)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gains = (bradford @ _xyz(D65)) / (bradford @ _xyz(primaries[3]))
    adapt = np.linalg.inv(bradford) @ np.diag(gains) @ bradford
    return np.linalg.inv(_to_xyz(BT709)) @ adapt @ _to_xyz(primaries)


def _to_xyz(primaries: tuple[Point, Point, Point, Point]) -> np.ndarray:
    corners = np.array([(x, y, 1 - x - y) for x, y in primaries[:3]]).T
    return corners * np.linalg.solve(corners, _xyz(primaries[3]))


def _xyz(point: Point) -> np.ndarray:
    """Return X, Y, Z of a white with Y = 1."""
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])
