"""Fail a job in which the model gives numbers that are not finite (NaN or infinity), before more time goes into it."""

import torch

from ...errors import RenderError
from ...messages import codes, msg


class NotFinite(RenderError):
    """The model gave NaN or infinity. 16-bit numbers do that on some cards (`MemoryFallback.use_float32`)."""

    code = codes.BROKEN_PICTURE


def check_conditioning(*tensors: torch.Tensor) -> None:
    """Check what the model sees of the photo: embeddings and latents, of any shape.

    Raises:
        NotFinite: One of the tensors holds NaN or infinity.
    """
    if not all(torch.isfinite(tensor).all() for tensor in tensors):
        raise NotFinite(
            msg(
                "the model sees the photo in numbers that are not finite (NaN), {black}; {files}",
                black=_BLACK,
                files=_FILES,
            )
        )


def check_latents(x: torch.Tensor, step: int, steps: int) -> None:
    """Check the latents after a sampling step.

    Args:
        x: Latents of any shape.
        step: Steps done, 1..steps, for the error.
        steps: Steps in all.

    Raises:
        NotFinite: `x` holds NaN or infinity.
    """
    if not torch.isfinite(x).all():
        raise NotFinite(
            msg(
                "the model gave numbers that are not finite (NaN) at step {step} of {steps}, {black}; {files}",
                step=step,
                steps=steps,
                black=_BLACK,
                files=_FILES,
            )
        )


def check_decoded(pixels: torch.Tensor) -> None:
    """Check the decoder's pixels, before they are rounded to 8 bits, where NaN becomes black.

    Raises:
        NotFinite: `pixels` holds NaN or infinity.
    """
    if not torch.isfinite(pixels).all():
        raise NotFinite(
            msg(
                "the decoder gave numbers that are not finite (NaN), {black}; the sampled latents are kept: {files}",
                black=_BLACK,
                files=_FILES,
            )
        )


_BLACK = msg("so the video would be black")
_FILES = msg("check the model's files (fanslymotion models check), or choose another model")
