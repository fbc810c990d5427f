"""Say how long decoding takes with what runs beside it: detail, interpolation and encoding of its frames. No torch."""

from ..progress import Stage
from .base import MemoryPlan

CLOSING = 0.3
"""Seconds from the last frame to the renamed file: ffmpeg's start and end."""


def decoding_and_saving(
    plan: MemoryPlan, decode: float, beside: float, alone: float, enlarge: float = 0.0
) -> dict[Stage, float]:
    """Return the seconds of both stages.

    The frames of the last chunk are finished when nothing is left to decode: that is saving. Before, a GPU decodes
    while the processor finishes frames, and the slower of the two is waited for; a processor shares its cores between
    both.

    Args:
        plan: The plan.
        decode: Seconds of the decoder alone.
        beside: Seconds of all cores for what happens to the decoded frames.
        alone: Seconds for the same while nothing is decoded: some of it has only one core.
        enlarge: Seconds of an upscaler, on the device that decodes.
    """
    tail = min(1.0, plan.decode_chunk / max(1, plan.work.frames))
    computed = decode + enlarge * (1 - tail)
    return {
        Stage.DECODING: computed + beside * (1 - tail) if plan.device == "cpu" else max(computed, alone * (1 - tail)),
        Stage.SAVING: (enlarge + alone) * tail + CLOSING,
    }
