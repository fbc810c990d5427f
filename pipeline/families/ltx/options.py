"""Hold a request's part that is LTX-Video's own: the prompt and the frame rate. Without torch."""

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
    """

    prompt: str
    fps: int
    sigmas: tuple[float, ...]
    loop: bool = False

    def metadata(self) -> dict[str, Any]:
        """Return the frame rate; the prompt stands with the request."""
        return {"fps": self.fps}
