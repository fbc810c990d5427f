"""Estimate bytes and seconds of each stage for the memory plan, computed from the architecture. Without torch."""

from ..base import MemoryPlan, Offload
from ..flow.cost import TokenCost
from .chunks import LEAST, STRIDE, decoded, frames, latents


def _together(now: MemoryPlan) -> int:
    return frames(max(LEAST, latents(now.decode_chunk)))


def _computed(now: MemoryPlan) -> int:
    return decoded(latents(now.work.frames), latents(now.decode_chunk)) * STRIDE


COST = TokenCost(
    patch=1,
    # Each token's own time embedding (12), hidden states and attention (8), rotation in 4-byte numbers (14), the
    # feed-forward layer (8), rest.
    widths=44,
    # 128 channels at the last level: some eight tensors of 8 numbers alive, the pixels in 4-byte numbers, and the
    # convolutions' work space.
    decoder=300,
    encoder=1500,
    decoder_channels=128,
    decoder_operations=1.25e6,  # counted over its convolutions
    together=_together,
    computed=_computed,
    texts=256,
    text_share=0.12,  # two of its 24 blocks, and the table of words
    resident={Offload.GROUP: 0.12, Offload.SEQUENTIAL: 0.03},  # two of 28 blocks and what is no block; two layers
)
