"""Wan 2.2 TI2V-5B: which files it has, what it costs, how it is loaded. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ....presets import ModelPreset
from ....presets.options import ScheduleName, SolverName
from ...request import VideoRequest
from .. import base
from ..base import CostModel, Geometry, ModelFolder, Offload, Savings
from ..flow.family import FlowFamily
from . import random_model
from .cost import COST
from .folder import FOLDERS, FRAMES, SIDE, STRIDE
from .options import WanOptions

if TYPE_CHECKING:
    from ..placement import Placement
    from ..prompts import PromptEmbeds


class Wan(FlowFamily):
    """See `Family`."""

    name = "wan"
    folders = FOLDERS
    takes = (*FlowFamily.takes, "negative_prompt")
    random_size: Mapping[str, int] = {"width": random_model.WIDTH, "height": random_model.HEIGHT, "frames": FRAMES}
    schedules: Mapping[ScheduleName, tuple[SolverName, ...]] = {
        "flow": ("euler", "unipc"),
        "fixed": ("euler", "lcm"),
    }
    blocks: Mapping[str, tuple[str, ...]] = {"transformer": ("WanTransformerBlock",)}
    geometry = Geometry(multiple=2 * SIDE, stride=STRIDE, overlap=1, guidance_cap=None)
    cost: CostModel = COST
    savings = Savings(
        chunked=True,
        decode_chunks=True,
        most_chunk=STRIDE,
        offloads=(Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL),
    )

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> base.FamilyOptions:
        """Settle the prompt and what guidance leads away from; the model is told no frame rate."""
        sampling = preset.sampling
        return WanOptions(
            request.prompt.strip(),
            self.negative_prompt(request, preset) or "",
            sampling.shift,
            sampling.solver,
            request.loop,
            sampling.sigmas,
        )

    def texts(self, options: base.FamilyOptions) -> tuple[str, ...]:
        """Return the prompt and the negative one."""
        assert isinstance(options, WanOptions)
        return options.prompt, options.negative_prompt

    def encode_texts(self, folder: Path, texts: tuple[str, ...], placement: Placement) -> PromptEmbeds:
        """See `prompts.encode`."""
        from . import prompts

        prompt, negative_prompt = texts
        return prompts.encode(folder, prompt, negative_prompt, placement)

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> base.VideoModel:
        """See `model.load`."""
        from . import model as module

        return module.load(model, placement, finished, shortcuts)


FAMILY: base.Family = Wan()
