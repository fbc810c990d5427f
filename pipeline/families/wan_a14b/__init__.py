"""Wan 2.2 I2V-A14B: two transformers that take turns. Which files it has, what it costs, how it is loaded. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ....presets.options import LAST_PHOTO
from .. import base
from ..base import Component, CostModel, Geometry, ModelFolder, Role
from ..flow.family import FlowFamily
from ..wan import FAMILY as WAN
from ..wan import Wan
from . import random_model
from .cost import COST
from .folder import FOLDERS, FRAMES, SIDE, STRIDE, TRANSFORMER_2

if TYPE_CHECKING:
    from ..placement import Placement


class WanA14B(Wan):
    """See `Family`. Prompts and their encoding are those of Wan's other models."""

    name = "wan_a14b"
    folders = FOLDERS
    components = (*FlowFamily.components, Component(TRANSFORMER_2, Role.DENOISER))
    takes = ("prompt", "negative_prompt", "loras", "int8", "loop", LAST_PHOTO.name)
    random_size: Mapping[str, int] = {"width": random_model.WIDTH, "height": random_model.HEIGHT, "frames": FRAMES}
    blocks: Mapping[str, tuple[str, ...]] = {}
    geometry = Geometry(multiple=2 * SIDE, stride=STRIDE, overlap=1, guidance_cap=None)
    cost: CostModel = COST
    savings = WAN.savings

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> base.VideoModel:
        """See `model.load`."""
        from . import model as module

        return module.load(model, placement, finished, shortcuts)


FAMILY: base.Family = WanA14B()
