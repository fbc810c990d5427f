"""Wan 2.2 TI2V-5B: which files it has, what it costs, how it is loaded. No torch at import."""

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
from .cost import COST
from .folder import SIDE, STRIDE
from .options import WanOptions

if TYPE_CHECKING:
    from ..placement import Placement
    from ..words import Words


class Wan:
    """See `Family`."""

    name = "wan"
    components = (
        Component(folder.TEXT_ENCODER, Role.TEXT, folder.WEIGHTS[folder.TEXT_ENCODER]),
        Component(folder.VAE, Role.VAE, folder.WEIGHTS[folder.VAE]),
        Component(folder.TRANSFORMER, Role.DENOISER, folder.WEIGHTS[folder.TRANSFORMER]),
    )
    takes = ("prompt",)
    motions: Mapping[MotionName, int] = {}
    modes: Mapping[str, Mode] = {}
    blocks: Mapping[str, tuple[str, ...]] = {"transformer": ("WanTransformerBlock",)}
    geometry = Geometry(multiple=2 * SIDE, stride=STRIDE, overlap=1, guidance_cap=None)
    numbers = "bfloat16"
    cost: CostModel = COST
    savings = Savings(
        decode_chunks=True,
        most_chunk=STRIDE,
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
        native = {"width": random_model.WIDTH, "height": random_model.HEIGHT, "frames": folder.FRAMES}
        return ModelFolder(preset.model_copy(update=native), path, random=True)

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> base.FamilyOptions:
        """Settle the prompt and what guidance leads away from; the model is told no frame rate."""
        sampling = preset.sampling
        away = sampling.negative_prompt if sampling.max_guidance > 1 else ""
        return WanOptions(request.prompt.strip(), away, sampling.shift, sampling.solver)

    def words_key(self, model: ModelFolder, options: base.FamilyOptions) -> str:
        """Return the key of both prompts with this text encoder."""
        from ..words import words_key

        assert isinstance(options, WanOptions)
        encoder = folder.fingerprint(model.folder, (folder.TEXT_ENCODER, folder.TOKENIZER))
        return words_key(encoder, f"{options.prompt}\0{options.negative_prompt}")

    def encode_words(self, model: ModelFolder, options: base.FamilyOptions, placement: Placement) -> Words:
        """See `words.encode`."""
        from . import words

        assert isinstance(options, WanOptions)
        self.check(model.folder, model.preset)
        return words.encode(model.folder, options.prompt, options.negative_prompt, placement)

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> base.VideoModel:
        """See `model.load`."""
        from . import model as module

        return module.load(model, placement, finished, shortcuts)


FAMILY = Wan()
