"""Stable Video Diffusion: which files it has, what it costs, how it is loaded. No torch at import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import ModelError
from ....presets import Mode, ModelPreset
from ....presets.options import MotionName, ScheduleName, SolverName
from ...request import VideoRequest
from .. import base
from ..base import Component, CostModel, Geometry, ModelFiles, ModelFolder, ModelSize, Offload, Role, Savings
from ..weights.folders import OWN_FILE, reads_folder
from . import cost, model_size, random_model
from .folder import IMAGE_ENCODER, UNET, VAE, check_folder, folder_preset

if TYPE_CHECKING:
    from ..placement import Placement
    from ..prompts import PromptEmbeds


BLOCKS = ("TransformerSpatioTemporalModel", "SpatioTemporalResBlock")
"""The UNet's and the decoder's repeated blocks, diffusers' classes."""

LOW_NOISE = 0.5
"""The noise level σ up to which guidance does little (arXiv 2404.07724): the last 6 of 25 steps."""


class StableVideoDiffusion:
    """See `Family`."""

    name = "svd"
    components = (
        Component(IMAGE_ENCODER, Role.IMAGE),
        Component(VAE, Role.VAE),
        Component(UNET, Role.DENOISER),
    )
    takes = ("motion_bucket_id", "noise_aug_strength", "fps")
    motions: Mapping[MotionName, int] = {"gentle": 60, "strong": 180}
    modes: Mapping[str, Mode] = {
        "balanced": Mode(guidance_above=LOW_NOISE, full_every=3),
        "fast": Mode(steps=10, schedule="ays", guidance_above=LOW_NOISE),
    }
    schedules: Mapping[ScheduleName, tuple[SolverName, ...]] = {"karras": ("euler",), "ays": ("euler",)}
    blocks: Mapping[str, tuple[str, ...]] = {"unet": BLOCKS, "vae.decoder": BLOCKS}
    geometry = Geometry(multiple=8)
    half_dtype = "float16"
    cost: CostModel = cost
    savings = Savings(
        two_pass=True,
        chunked=True,
        decode_chunks=True,
        offloads=(Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL),
        unguided=True,
    )

    @reads_folder
    def recognises(self, folder: Path) -> bool:
        """Return whether there is a UNet's configuration."""
        return (folder / UNET / "config.json").is_file()

    @reads_folder
    def folder_preset(self, folder: Path) -> ModelPreset:
        """See `folder.folder_preset`."""
        return folder_preset(folder)

    @reads_folder
    def check(self, folder: Path, preset: ModelPreset | None) -> ModelFiles:
        """See `folder.check_folder`."""
        return check_folder(folder, preset)

    def check_loras(self, model: ModelFolder) -> None:
        """Refuse: it is not in `takes`."""
        raise NotImplementedError

    def size(self, folder: Path, preset: ModelPreset) -> ModelSize:
        """See `model_size.model_size`."""
        return model_size.model_size(folder, preset.width, preset.height, preset.frames)

    def random_model(self, preset: ModelPreset, folder: Path) -> ModelFolder:
        """Return the stand-in's place; `load` fills it, unless one lies there: its own size counts."""
        native = {"width": random_model.WIDTH, "height": random_model.HEIGHT, "frames": random_model.FRAMES}
        if (folder / OWN_FILE).is_file():
            with suppress(ModelError):
                native = folder_preset(folder).model_dump(include=set(native))
        changes = {**native, "loop": 0, "trim": 0, "latent_rgb": None}
        return ModelFolder(preset.model_copy(update=changes), folder, random=True)

    def options(self, request: VideoRequest, preset: ModelPreset, fps: int) -> base.FamilyOptions:
        """Settle the frame rate that the model imagines, motion bucket and noise augmentation."""
        from .conditioning import MicroConditioning

        usual = preset.sampling
        return MicroConditioning(
            fps=usual.fps if request.fps is None else request.fps,
            bucket=usual.motion_bucket_id if request.motion_bucket_id is None else request.motion_bucket_id,
            noise_aug=usual.noise_aug_strength if request.noise_aug_strength is None else request.noise_aug_strength,
        )

    def prompt_key(self, model: ModelFolder, options: base.FamilyOptions) -> str:
        """Return "": the model reads no prompt."""
        return ""

    def encode_prompt(self, model: ModelFolder, options: base.FamilyOptions, placement: Placement) -> PromptEmbeds:
        """Refuse: there is no `prompt_key`."""
        raise NotImplementedError

    def load(
        self, model: ModelFolder, placement: Placement, finished: Callable[[str], None], shortcuts: bool
    ) -> base.VideoModel:
        """See `model.load`."""
        from . import model as module

        return module.load(model, placement, finished, shortcuts)


FAMILY: base.Family = StableVideoDiffusion()
