"""Say how long decoding takes with what runs beside it: detail, interpolation and encoding of its frames. No torch."""

from ..progress import Stage
from .base import MemoryPlan

CLOSING = 0.3
"""Seconds from the last frame to the renamed file: ffmpeg's start and end."""


def decoding_and_saving(plan: MemoryPlan, decode: float, beside: float, alone: float) -> dict[Stage, float]:
    """Return the seconds of both stages.

    The frames of the last chunk are finished when nothing is left to decode: that is saving. Before, a GPU decodes
    while the processor finishes frames, and the slower of the two is waited for; a processor shares its cores between
    both.

    Args:
        plan: The plan.
        decode: Seconds of the decoder alone.
        beside: Seconds of all cores for what happens to the decoded frames.
        alone: Seconds for the same while nothing is decoded: some of it has only one core.
    """
    tail = min(1.0, plan.decode_chunk / max(1, plan.work.frames))
    return {
        Stage.DECODING: decode + beside * (1 - tail) if plan.device == "cpu" else max(decode, alone * (1 - tail)),
        Stage.SAVING: alone * tail + CLOSING,
    }
