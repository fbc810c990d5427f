"""Describe the colours that a file declares by code points, gamma or chromaticities; ICC is `ImageCms`'s work."""

from dataclasses import dataclass

Point = tuple[float, float]
"""CIE 1931 x, y."""

D65: Point = (0.3127, 0.3290)

SRGB, PQ, HLG, SMPTE_240M, DCI = "sRGB", "PQ", "HLG", "SMPTE 240M", "DCI"
"""Transfer functions that are more than a power."""


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
