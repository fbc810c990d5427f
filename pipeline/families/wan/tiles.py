"""Say in which tiles a picture is decoded where there is little memory. Without torch."""

SIDES = {2: 512, 1: 256}
"""Side of a tile in pixels, by the frames of which the decoder may hold the pixels at once."""


def tile_side(chunk: int) -> int:
    """Return the side of a tile for a decode chunk of fewer frames than a latent frame gives."""
    return SIDES[2] if chunk >= 2 else SIDES[1]
