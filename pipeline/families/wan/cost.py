"""Estimate bytes and seconds of each stage for the memory plan, computed from the architecture. Without torch."""

from collections.abc import Sequence

from ..base import MemoryPlan, Offload
from ..flow.cost import TokenCost, guided_passes
from .folder import DECODER, SAMPLING, STRIDE
from .levels import shifted
from .tiles import computed_share, tile_pixels, tile_side

DECODER_BYTES = 4000
"""Bytes per pixel and frame, of four that are decoded together: what the convolutions keep of the frames before, and
the last level's tensors. Counted over a pass of the real architecture without numbers, in 2-byte ones: 3,070, of which
890 are kept. LTX-Video's decoder took 1.4 times what was in use, with what the allocator keeps (H200)."""


def _side(now: MemoryPlan) -> int | None:
    return tile_side(now.decode_chunk, now.width, now.height)


def frames_together(now: MemoryPlan) -> float:
    """Return the frames that the decoder holds at once: a latent frame's, or a tile of them."""
    side = _side(now)
    return STRIDE * (tile_pixels(side, now.width, now.height) / (now.width * now.height) if side else 1)


def frames_computed(now: MemoryPlan) -> float:
    """Return the frames that are decoded in all: tiles overlap."""
    side = _side(now)
    return now.work.frames * (computed_share(now.width, now.height, side, now.model.factor) if side else 1)


def bytes_kept(now: MemoryPlan) -> int:
    """Return the bytes of the whole video, of which each tile gives a part; 0 without tiles."""
    return 3 * now.width * now.height * (now.work.frames + STRIDE) if _side(now) else 0


def _passes(now: MemoryPlan) -> Sequence[float]:
    return guided_passes(now, shifted(now.work.steps, SAMPLING["shift"]))


COST = TokenCost(
    patch=2,
    # Each token's own time embedding (18), the feed-forward layer (10), hidden states. Counted like the decoder: 33;
    # the time embedder's 4-byte numbers and the head come on top.
    widths=40,
    # Hidden states, queries, keys, values and the result (5), each token's time embedding (7). Counted likewise, with
    # the pieces of a window at 720p: 27.
    whole_widths=17,
    decoder=DECODER_BYTES,
    encoder=1200,
    decoder_channels=DECODER,
    decoder_operations=18.5e6,  # counted likewise
    encoder_operations=4.6e6,  # counted likewise, of one frame
    together=frames_together,
    computed=frames_computed,
    kept=bytes_kept,
    texts=1024,
    text_share=0.3,  # two of its 24 blocks, and the embedding table, which is a fifth of it
    resident={Offload.GROUP: 0.1, Offload.SEQUENTIAL: 0.03},  # two of 30 blocks and what is no block; two layers
    passes=_passes,
)
