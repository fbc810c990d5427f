"""LTX-Video from 0.9.5 on, distilled: which files it has, what it costs, how it is loaded. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ....presets import Mode, ModelPreset
from ....presets.options import MotionName
from ...request import VideoRequest
from .. import base
from ..base import Component, CostModel, Geometry, ModelFiles, ModelFolder, ModelSize, Offload, Role, Savings
from . import folder, model_size, random_model
from .chunks import LEAST, STRIDE, frames
from .cost import COST
from .options import LtxOptions

if TYPE_CHECKING:
    from ..placement import Placement
    from ..words import Words


class LtxVideo:
    """See `Family`."""

    name = "ltx"
    components = (
        Component(folder.TEXT_ENCODER, Role.TEXT, folder.WEIGHTS[folder.TEXT_ENCODER]),
        Component(folder.VAE, Role.VAE, folder.WEIGHTS[folder.VAE]),
        Component(folder.TRANSFORMER, Role.DENOISER, folder.WEIGHTS[folder.TRANSFORMER]),
    )
    takes = ("prompt",)
    motions: Mapping[MotionName, int] = {}
    modes: Mapping[str, Mode] = {}  # distilled: eight steps without guidance are its best and its only way
    blocks: Mapping[str, tuple[str, ...]] = {"transformer": ("LTXVideoTransformerBlock",)}
    geometry = Geometry(multiple=32, stride=STRIDE, overlap=5)
    numbers = "bfloat16"
    cost: CostModel = COST
    savings = Savings(
        decode_chunks=True,
        least_chunk=frames(LEAST),
        offloads=(Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL),
    )

    def recognises(self, path: Path) -> bool:
        """See `folder.recognises`."""
        return folder.recognises(path)

    def folder_preset(self, path: Path) -> ModelPreset:
        """See `folder.folder_preset`."""
        return folder.folder_preset(path)

    def check(self, path: Path, preset: ModelPreset | None) -> ModelFiles:
        """See `folder.check_folder`."""
        return folder.check_folder(path, preset)

    def size(self, path: Path, preset: ModelPreset) -> ModelSize:
        """See `model_size.model_size`."""
        return model_size.model_size(path, preset)

    def random_model(self, preset: ModelPreset, path: Path) -> ModelFolder:
        """Return the stand-in's place; `load` fills it."""
        native = {"width": random_model.WIDTH, "height": random_model.HEIGHT, "frames": random_model.FRAMES}
        return ModelFolder(preset.model_copy(update=native), path, random=True)

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> base.FamilyOptions:
        """Settle the prompt; the frame rate is the sampled one."""
        return LtxOptions(request.prompt.strip(), fps, preset.sampling.sigmas)

    def words_key(self, model: ModelFolder, options: base.FamilyOptions) -> str:
        """Return the key of the prompt with this text encoder."""
        from ..words import words_key

        assert isinstance(options, LtxOptions)
        return words_key(folder.fingerprint(model.folder, (folder.TEXT_ENCODER, folder.TOKENIZER)), options.prompt)

    def encode_words(self, model: ModelFolder, options: base.FamilyOptions, placement: Placement) -> Words:
        """See `words.encode`."""
        from . import words

        assert isinstance(options, LtxOptions)
        self.check(model.folder, model.preset)
        return words.encode(model.folder, options.prompt, placement)

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> base.VideoModel:
        """See `model.load`."""
        from . import model as module

        return module.load(model, placement, finished, shortcuts)


FAMILY = LtxVideo()
