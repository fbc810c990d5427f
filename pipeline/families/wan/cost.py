"""Estimate bytes and seconds of each stage for the memory plan, computed from the architecture. Without torch."""

from collections.abc import Sequence

from ..base import MemoryPlan, Offload
from ..flow.cost import TokenCost
from .folder import SAMPLING, STRIDE
from .levels import shifted
from .model_size import DECODER
from .tiles import tile_side

DECODER_BYTES = 2000
OUTPUT_BYTES = 15
"""Bytes per pixel and frame of a video that is put together on the device: in tiles, and blended, in 2-byte numbers."""


def _together(now: MemoryPlan) -> float:
    """A latent frame's at a time; in tiles a part of it, and beside it the whole video."""
    if now.decode_chunk >= STRIDE:
        return STRIDE
    side, pixels = tile_side(now.decode_chunk), now.width * now.height
    share = min(side, now.width) * min(side, now.height) / pixels
    return STRIDE * share + now.work.frames * OUTPUT_BYTES / DECODER_BYTES


def _computed(now: MemoryPlan) -> int:
    """Tiles overlap by a quarter of their sides."""
    if now.decode_chunk >= STRIDE:
        return now.work.frames
    return now.work.frames * 16 // 9


def _passes(now: MemoryPlan) -> Sequence[float]:
    """A step without guidance takes one pass of two."""
    above, steps = now.work.effort.guidance_above, now.work.steps
    if not now.guided:
        return [1.0] * steps
    return [1.0 if level > above else 0.5 for level in shifted(steps, SAMPLING["shift"])]


COST = TokenCost(
    patch=2,
    # Each token's own time embedding (24, of it 12 in passing), hidden states and attention (6), rotation (4), the
    # feed-forward layer (10), rest.
    widths=48,
    decoder=DECODER_BYTES,
    encoder=4000,
    decoder_channels=DECODER,
    decoder_operations=5e6,
    together=_together,
    computed=_computed,
    texts=1024,
    text_share=0.3,
    resident={Offload.GROUP: 0.1, Offload.SEQUENTIAL: 0.03},
    passes=_passes,
)
