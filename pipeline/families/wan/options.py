"""Hold Wan's part of a request: prompts, and how it is sampled. Without torch."""

from dataclasses import asdict, dataclass
from typing import Any

from ..base import FamilyOptions


@dataclass(frozen=True)
class WanOptions(FamilyOptions):
    """The transformer's inputs besides the photo, and how it is sampled, as a part of checkpoint keys.

    Attributes:
        prompt: Text; may be empty.
        negative_prompt: What guidance leads away from; "" without guidance.
        shift: See `presets.schema.Sampling`.
        solver: See `presets.schema.Sampling`.
        loop: The video also ends with the photo.
        sigmas: A distilled model's own levels, see `presets.schema.Sampling`; empty = those of `shift`.
    """

    prompt: str
    negative_prompt: str
    shift: float
    solver: str
    loop: bool = False
    sigmas: tuple[float, ...] = ()

    def metadata(self) -> dict[str, Any]:
        """Return all but the prompt, which stands with the request, and but for levels that there are not."""
        told = asdict(self)
        del told["prompt"]
        if not self.sigmas:
            del told["sigmas"]
        return told
