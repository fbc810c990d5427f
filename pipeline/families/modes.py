"""Define a model's modes: number of steps, noise levels, effort. Without torch.

The best mode is the model's own sampling, with each step in full. Faster ones come from the model's preset, or else
from its family.
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
    """Steps of a request, from its mode and number of steps.

    Attributes:
        steps: Denoising steps of each window.
        schedule: Spacing of the noise levels.
        effort: Which steps are computed only in part.
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
    """Return the number of steps of a mode if the request gives none."""
    usual = preset.sampling.steps
    return usual if mode.steps is None else min(mode.steps, usual)


def sampled_steps(request: VideoRequest, preset: ModelPreset) -> SampledSteps:
    """Resolve a request's mode and number of steps. A number in the request overrides the mode's.

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
