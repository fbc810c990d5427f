"""Hold a request's part that is LTX-Video's own: the prompts, the frame rate, and the levels. Without torch."""

from dataclasses import dataclass
from typing import Any

from ..base import FamilyOptions


@dataclass(frozen=True)
class LtxOptions(FamilyOptions):
    """What the transformer is told beside the photo.

    Attributes:
        prompt: Text; may be empty.
        fps: Frames a second of the sampled video; the positions in time are counted in seconds.
        sigmas: The preset's noise levels, so that a checkpoint made with others is not gone on with.
        loop: The video ends with the photo, too.
        negative_prompt: What guidance leads away from; None = the model is sampled without guidance.
        shift: That of evenly spaced levels, see `presets.schema.Sampling`; None = they are others.
        causal: The transformer knows that the first latent frame is one frame alone, as from 0.9.5 on; None = it takes
            it for eight, like the others.
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
        """Return what is told of these; the prompt stands with the request."""
        told = {
            "fps": self.fps,
            "negative_prompt": self.negative_prompt,
            "shift": self.shift,
            "solver": self.solver,
        }
        return {name: value for name, value in told.items() if value is not None}
