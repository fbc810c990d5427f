"""Clips in which something changes that the photo does not show, each with its true frames at the output's size."""

from collections.abc import Callable

from .base import HardCase
from .changes import cut, defocus, dimmed, grain, mouth, patch, small_photo
from .covers import covered, hand
from .turning import face
from .warps import ripples, water

CASES: dict[str, Callable[[], HardCase]] = {
    one.__name__.replace("_", " "): one
    for one in (patch, mouth, water, ripples, dimmed, covered, hand, cut, small_photo, grain, face, defocus)
}

__all__ = ["CASES", "HardCase"]
