"""Offer the modes of a model: how many steps, at which noise levels, with what effort. Without torch.

The best mode is the model's own sampling, each step in full. What quicker ones there are, the model's preset says, else
its family.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import BadInput
from ...messages import msg
from ...presets import Mode, ModelPreset
from ...presets.options import BEST, MODES, ScheduleName
from ..request import VideoRequest
from . import family
from .steps.effort import Effort


@dataclass(frozen=True)
class SampledSteps:
    """What a request's mode and steps come to.

    Attributes:
        steps: Denoising steps of each window.
        schedule: Spacing of the noise levels.
        effort: Which of the steps compute less than everything.
    """

    steps: int
    schedule: ScheduleName
    effort: Effort


def modes_of(preset: ModelPreset) -> Mapping[str, Mode]:
    """Return the modes that a model offers, the best one first.

    Raises:
        ModelError: There is no such family.
    """
    quicker = family(preset.family).modes if preset.modes is None else preset.modes
    return {BEST: Mode()} | {name: quicker[name] for name in MODES if name in quicker}


def mode_steps(mode: Mode, preset: ModelPreset) -> int:
    """Return how many steps a mode takes where the request gives no number."""
    usual = preset.sampling.steps
    return usual if mode.steps is None else min(mode.steps, usual)


def sampled_steps(request: VideoRequest, preset: ModelPreset) -> SampledSteps:
    """Settle a request's mode and number of steps. A number that the request gives goes before the mode's.

    Raises:
        BadInput: The model does not offer the mode.
    """
    offered = modes_of(preset)
    mode = offered.get(request.mode)
    if mode is None:
        raise BadInput(
            msg(
                "{what} is {value!r}, which the model {model} does not have; choose one of {known}, or another model",
                what="mode",
                value=request.mode,
                model=preset.name,
                known=", ".join(offered),
            )
        )
    steps = mode_steps(mode, preset) if request.steps is None else request.steps
    return SampledSteps(
        steps, mode.schedule or preset.sampling.schedule, Effort(mode.guidance_above, mode.full_every, mode.reuse)
    )
