"""Say how long decoding takes with what runs beside it: detail, interpolation and encoding of its frames. No torch."""

from ..progress import Stage
from .base import MemoryPlan

CLOSING = 0.3
"""Seconds from the last frame to the renamed file: ffmpeg's start and end."""


def decoding_and_saving(plan: MemoryPlan, decode: float, finish: float) -> dict[Stage, float]:
    """Return the seconds of both stages.

    The frames of the last chunk are finished when nothing is left to decode: that is saving. Before, a GPU decodes
    while the processor finishes frames, and the slower of the two is waited for; a processor does one after the other.

    Args:
        plan: The plan.
        decode: Seconds of the decoder alone.
        finish: Seconds of all that happens to the decoded frames, alone.
    """
    frames = max(1, plan.work.frames)
    tail = finish * min(1.0, plan.decode_chunk / frames)
    before = finish - tail
    return {
        Stage.DECODING: decode + before if plan.device == "cpu" else max(decode, before),
        Stage.SAVING: tail + CLOSING,
    }
