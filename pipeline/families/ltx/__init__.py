"""LTX-Video from 0.9.5 on: which files it has, what it costs, how it is loaded. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ....presets import ModelPreset
from ....presets.options import LAST_PHOTO, ScheduleName, SolverName
from ...request import VideoRequest
from .. import base
from ..base import CostModel, Geometry, ModelFolder, Offload, Savings
from ..flow.family import FlowFamily
from . import random_model
from .chunks import LEAST, STRIDE, frames, latents
from .cost import COST
from .folder import FOLDERS
from .options import LtxOptions
from .sampling import OWN_LEVELS

if TYPE_CHECKING:
    from ..placement import Placement
    from ..prompts import PromptEmbeds


class LtxVideo(FlowFamily):
    """See `Family`. Distilled models take eight steps without guidance, others thirty or forty with it."""

    name = "ltx"
    takes = (*FlowFamily.takes, "negative_prompt", "loop", LAST_PHOTO.name)
    folders = FOLDERS
    random_size: Mapping[str, int] = {
        "width": random_model.WIDTH,
        "height": random_model.HEIGHT,
        "frames": random_model.FRAMES,
    }
    schedules: Mapping[ScheduleName, tuple[SolverName, ...]] = {
        "fixed": ("euler", "lcm"),
        "flow": ("euler",),
        **dict.fromkeys(OWN_LEVELS, ("euler",)),
    }
    blocks: Mapping[str, tuple[str, ...]] = {"transformer": ("LTXVideoTransformerBlock",)}
    geometry = Geometry(multiple=32, stride=STRIDE, overlap=5, guidance_cap=None)
    cost: CostModel = COST
    savings = Savings(
        chunked=True,
        decode_chunks=True,
        least_chunk=frames(LEAST),
        offloads=(Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL),
    )

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> base.FamilyOptions:
        """Settle the prompts; the frame rate is the sampled one."""
        sampling, negative = preset.sampling, self.negative_prompt(request, preset)
        shift = None if sampling.sigmas or sampling.schedule in OWN_LEVELS else sampling.shift
        causal = None if sampling.schedule == "dynamic" else True
        solver = sampling.solver if sampling.solver == "lcm" else None
        length = fps * request.seconds
        behind = max(0, frames(latents(length)) - 1 - length)  # it ends with the frame behind its last one
        return LtxOptions(
            request.prompt.strip(), fps, sampling.sigmas, request.loop, negative, shift, causal, solver, behind
        )

    def texts(self, options: base.FamilyOptions) -> tuple[str, ...]:
        """Return the prompt, and the negative one where there is guidance."""
        assert isinstance(options, LtxOptions)
        return (options.prompt,) if options.negative_prompt is None else (options.prompt, options.negative_prompt)

    def encode_texts(self, folder: Path, texts: tuple[str, ...], placement: Placement) -> PromptEmbeds:
        """See `prompts.encode`."""
        from . import prompts

        prompt, *negative = texts
        return prompts.encode(folder, prompt, placement, *negative)

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> base.VideoModel:
        """See `model.load`."""
        from . import model as module

        return module.load(model, placement, finished, shortcuts)


FAMILY: base.Family = LtxVideo()
