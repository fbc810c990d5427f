"""Convert colours to sRGB by their primaries and transfer function."""

import numpy as np
from PIL import Image

from ..colour import BT709, D65, DCI, HLG, PQ, SMPTE_240M, Colours, Point

HDR_WHITE = 203.0
"""cd/m² of a white sheet of paper in PQ and HLG pictures (ITU-R BT.2408). It becomes sRGB's white."""

KNEE = 0.6
"""Linear light, of sRGB's white: highlights above are compressed where an HDR picture has light beyond white."""

BAND = 64
"""Rows converted at once, which bounds the memory of the float values."""


def to_srgb(picture: np.ndarray | Image.Image, colours: Colours) -> Image.Image:
    """Convert a picture to sRGB. An HDR picture with light beyond white is tone-mapped.

    Args:
        picture: RGB, or uint8 or uint16, (height, width, 3).
        colours: what its values mean.

    Returns:
        RGB, 8 bits a channel.
    """
    values, matrix = np.asarray(picture), _matrix(colours.primaries)
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
