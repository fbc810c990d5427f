"""Hold LTX-Video's part of a request: prompts, frame rate, noise levels. Without torch."""

from dataclasses import dataclass
from typing import Any

from ..base import FamilyOptions


@dataclass(frozen=True)
class LtxOptions(FamilyOptions):
    """The transformer's inputs besides the photo, and how it is sampled.

    Attributes:
        prompt: Text; may be empty.
        fps: Sampled frames per second; positions in time are in seconds.
        sigmas: The preset's noise levels, as a part of checkpoint keys.
        loop: The video also ends with the photo.
        negative_prompt: What guidance leads away from; None = the model is sampled without guidance.
        shift: Shift of evenly spaced levels, see `presets.schema.Sampling`; None = other levels.
        causal: The transformer takes the first latent frame as one frame, as from 0.9.5 on; None = as eight, like the
            others.
        solver: `lcm`; None = Euler.
        behind: Frames of the last latent frame beyond the picture that the video ends with.
    """

    prompt: str
    fps: int
    sigmas: tuple[float, ...]
    loop: bool = False
    negative_prompt: str | None = None
    shift: float | None = None
    causal: bool | None = None
    solver: str | None = None
    behind: int = 0

    def metadata(self) -> dict[str, Any]:
        """Return what the video file stores of these; the prompt is stored with the request."""
        told = {
            "fps": self.fps,
            "negative_prompt": self.negative_prompt,
            "shift": self.shift,
            "solver": self.solver,
        }
        return {name: value for name, value in told.items() if value is not None}
