"""Fail a job in which the model gives numbers that are not finite (NaN or infinity), before more time goes into it."""

import torch

from ..errors import RenderError


class NotFinite(RenderError):
    """The model gave NaN or infinity. 16-bit numbers do that on some cards (`Ladder.widen`)."""


def check_conditioning(*tensors: torch.Tensor) -> None:
    """What the model sees of the photo."""
    if not all(torch.isfinite(tensor).all() for tensor in tensors):
        raise NotFinite(f"the model sees the photo in numbers that are not finite (NaN), {_BLACK}; {_FILES}")


def check_latents(x: torch.Tensor, step: int, steps: int) -> None:
    if not torch.isfinite(x).all():
        raise NotFinite(
            f"the model gave numbers that are not finite (NaN) at step {step} of {steps}, {_BLACK}; {_FILES}"
        )


def check_decoded(pixels: torch.Tensor) -> None:
    if not torch.isfinite(pixels).all():
        raise NotFinite(
            f"the decoder gave numbers that are not finite (NaN), {_BLACK}; the sampled latents are kept: {_FILES}"
        )


_BLACK = "so the video would be black"
_FILES = "check the model's files (fanslymotion models check), or choose another model"
