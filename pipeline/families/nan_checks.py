"""Fail a job early if the model returns NaN or infinity."""

import torch

from ...errors import RenderError
from ...messages import codes, msg


class NotFinite(RenderError):
    """The model returned NaN or infinity, as 16-bit numbers do on some GPUs (`MemoryFallback.use_float32`)."""

    code = codes.BROKEN_PICTURE


def check_conditioning(*tensors: torch.Tensor) -> None:
    """Check the encoded photo and prompt: tensors of any shape.

    Raises:
        NotFinite: One of the tensors contains NaN or infinity.
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
        steps: Number of steps.

    Raises:
        NotFinite: `x` contains NaN or infinity.
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
    """Check the decoder's pixels before they are rounded to 8 bits, which turns NaN into black.

    Raises:
        NotFinite: `pixels` contains NaN or infinity.
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
