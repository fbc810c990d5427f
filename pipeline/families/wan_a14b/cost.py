"""Estimate bytes and seconds of each stage for the memory plan, computed from the architecture. Without torch.

One of the two transformers is on the device at a time. In RAM are both, or the one whose turn it is (`in_turn`).
"""

from dataclasses import dataclass

from ...hardware.units import PROCESS
from ...progress import Stage
from ..base import MemoryPlan, Offload
from ..costs.finishing import detail_bytes
from ..costs.speed import PINNED, READING
from ..flow.cost import TokenCost, guided_passes
from ..flow.folder import TEXT_ENCODER, TRANSFORMER, VAE
from ..forecast import windows
from ..wan.cost import bytes_kept, frames_computed, frames_together
from ..wan.levels import shifted
from .folder import DECODER, SAMPLING, STRIDE

DECODER_BYTES = 4700
"""Bytes per pixel and frame, of four that are decoded together. Counted over a pass of the real architecture without
numbers, in 2-byte ones: 3,610, of which 1,180 are kept; the rest as with the 5B model."""
ENCODER_BYTES = 11_000
"""Bytes per pixel of the four frames that are encoded together. Counted likewise: 8,620, of which 2,810 are kept."""


def in_turn(now: MemoryPlan) -> bool:
    """Tell whether each transformer is read from the disk when its turn comes. A step on a CPU takes far longer."""
    return now.in_turn or now.device == "cpu"


def frames_encoded(now: MemoryPlan) -> int:
    """Return the frames of a whole window: the photo, and the empty ones behind it."""
    return 1 + STRIDE * -(-(now.model.frames - 1) // STRIDE)


@dataclass(frozen=True)
class A14BCost(TokenCost):
    """See `TokenCost`."""

    def ram(self, now: MemoryPlan) -> int:
        """Estimate the bytes of RAM that the job takes while a GPU computes: the text encoder and the rest in turn."""
        parts, detail = self.weights(now), detail_bytes(now) + self.kept(now)
        one = parts[TRANSFORMER]
        if now.offload in self.resident:  # in page-locked memory
            one = int(PINNED * one)
        held = one if in_turn(now) else 2 * one
        return PROCESS + max(parts[TEXT_ENCODER], parts[VAE] + held + detail)

    def seconds(self, now: MemoryPlan) -> dict[Stage, float]:
        """Estimate the seconds of each stage; the transformers are read while the video is sampled.

        A later window begins with the earlier one's last frame, and the last one may end with a picture: both are
        encoded then.
        """
        found, count = super().seconds(now), windows(now).count
        one = self.weights(now)[TRANSFORMER] / READING["cpu" if now.device == "cpu" else "cuda"]
        found[Stage.LOADING] -= one
        found[Stage.SAMPLING] += 2 * one * (count if in_turn(now) else 1)
        found[Stage.SAMPLING] += self.encoding(now) * max(count - 1, now.work.ends)
        return found


COST = A14BCost(
    patch=2,
    # Counted like the decoder: 13. All tokens have the same time, so that its embedding takes nothing.
    widths=16,
    whole_widths=7.5,  # hidden states, queries, keys, values and the result; counted likewise, pieces included: 7.1
    decoder=DECODER_BYTES,
    encoder=ENCODER_BYTES,
    decoder_channels=DECODER,
    decoder_operations=8.6e6,  # counted likewise
    encoder_operations=5.1e6,  # counted likewise
    encoded=frames_encoded,
    together=frames_together,
    computed=frames_computed,
    kept=bytes_kept,
    texts=1024,
    text_share=0.3,
    resident={Offload.GROUP: 0.07, Offload.SEQUENTIAL: 0.02},  # two of 40 blocks and what is no block; two layers
    passes=lambda now: guided_passes(now, shifted(now.work.steps, SAMPLING["shift"])),
)
