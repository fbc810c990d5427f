"""Estimate bytes and seconds of each stage for the memory plan. Without torch.

Bytes and operations were measured on an H200 with random weights of the 2B model's size (bench/RESULTS.md).
"""

from collections.abc import Sequence

from ..base import MemoryPlan, Offload
from ..flow.cost import TokenCost, guided_passes
from .chunks import LEAST, STRIDE, decoded, frames, latents
from .sampling import levels


def _together(now: MemoryPlan) -> int:
    return frames(max(LEAST, latents(now.decode_chunk)))


def _computed(now: MemoryPlan) -> int:
    return decoded(latents(now.work.frames), latents(now.decode_chunk)) * STRIDE


def _passes(now: MemoryPlan) -> Sequence[float]:
    """Count with the levels from 0.9.5 on; without guidance they do not matter."""
    return guided_passes(now, levels("linear-quadratic", now.work.steps, 0, 1.0))


COST = TokenCost(
    patch=1,
    # Each token's own time embedding, hidden states and attention, rotation in 4-byte numbers, the feed-forward layer.
    # Measured: 29 in use, 34 with what the allocator keeps.
    widths=38,
    # Counted over a pass of the 13B model without numbers, pieces included: 29 of 38 at 720p.
    whole_widths=13,
    # Measured for 33 and 161 frames: 106 and 100 in use, 144 and 147 with what the allocator keeps.
    decoder=150,
    encoder=500,  # measured: 340 with what the allocator keeps
    decoder_channels=128,
    decoder_operations=1.25e6,  # counted over its convolutions
    encoder_operations=5.9e6,  # counted likewise, of one frame
    end=1,
    together=_together,
    computed=_computed,
    texts=256,
    texts_away=256,
    passes=_passes,
    text_share=0.12,  # two of its 24 blocks, and the embedding table
    resident={Offload.GROUP: 0.12, Offload.SEQUENTIAL: 0.03},  # two of 28 blocks and what is no block; two layers
)
