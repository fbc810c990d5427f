"""Define what the families of video transformers have in common. No torch at import."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import ModelError
from ....messages import codes, msg
from ....presets import Mode, ModelPreset
from ....presets.options import MotionName, ScheduleName, SolverName
from .. import base
from ..base import Component, ModelFiles, ModelFolder, ModelSize, Role
from ..prompts import prompt_key
from ..weights.folders import reads_folder
from .folder import TEXT_ENCODER, TOKENIZER, TRANSFORMER, VAE, FlowFolders
from .weights_files import stays_packed

if TYPE_CHECKING:
    from ...request import VideoRequest
    from ..placement import Placement
    from ..prompts import PromptEmbeds


class FlowFamily(ABC):
    """The `Family` of a video transformer with a text encoder; a subclass adds name, geometry, cost and `load`.

    Attributes:
        folders: Describes its folders.
        random_size: Width, height and frames of the untrained stand-in.
        schedules: See `Family`.
    """

    folders: FlowFolders
    random_size: Mapping[str, int]
    schedules: Mapping[ScheduleName, tuple[SolverName, ...]]

    components: tuple[Component, ...] = (
        Component(TEXT_ENCODER, Role.TEXT),
        Component(VAE, Role.VAE),
        Component(TRANSFORMER, Role.DENOISER),
    )
    takes: tuple[str, ...] = ("prompt", "loras", "int8")
    motions: Mapping[MotionName, int] = {}
    modes: Mapping[str, Mode] = {}
    half_dtype = "bfloat16"

    @abstractmethod
    def texts(self, options: base.FamilyOptions) -> tuple[str, ...]:
        """Return the prompts that the transformer reads."""

    @abstractmethod
    def encode_texts(self, folder: Path, texts: tuple[str, ...], placement: Placement) -> PromptEmbeds:
        """Encode the result of `texts`; see `Family.encode_prompt`."""

    def negative_prompt(self, request: VideoRequest, preset: ModelPreset) -> str | None:
        """Return the negative prompt: the request's, else the preset's; None for a model without guidance."""
        if preset.sampling.max_guidance <= 1:
            return None
        wanted = request.negative_prompt
        return preset.sampling.negative_prompt if wanted is None else wanted.strip()

    @reads_folder
    def recognises(self, folder: Path) -> bool:
        """See `FlowFolders`."""
        return self.folders.recognises(folder)

    @reads_folder
    def folder_preset(self, folder: Path) -> ModelPreset:
        """See `FlowFolders`."""
        return self.folders.preset(folder)

    @reads_folder
    def check(self, folder: Path, preset: ModelPreset | None) -> ModelFiles:
        """See `FlowFolders`."""
        return self.folders.check(folder, preset)

    @reads_folder
    def check_loras(self, model: ModelFolder) -> None:
        """See `FlowFolders.lora_layers`. Quantised weights take no LoRA."""
        if model.loras and stays_packed(model.preset):
            raise ModelError(
                msg(
                    "the weights of {model} come from a quantised file, to which no LoRA can be added; choose {base}",
                    model=model.name,
                    base=model.preset.base,
                ),
                code=codes.WRONG_SETTING,
            )
        for lora in model.loras:
            for file in lora.files:
                self.folders.lora_layers(model, file.path)

    def size(self, folder: Path, preset: ModelPreset) -> ModelSize:
        """See `FlowFolders`."""
        return self.folders.size(folder, preset)

    def random_model(self, preset: ModelPreset, folder: Path) -> ModelFolder:
        """Return the stand-in's folder; `load` builds it."""
        return ModelFolder(preset.model_copy(update=dict(self.random_size)), folder, random=True)

    @reads_folder
    def prompt_key(self, model: ModelFolder, options: base.FamilyOptions) -> str:
        """Return the cache key of all prompts with this text encoder."""
        encoder = self.folders.fingerprint(model.folder, (TEXT_ENCODER, TOKENIZER))
        return prompt_key(encoder, "\0".join(self.texts(options)))

    def encode_prompt(self, model: ModelFolder, options: base.FamilyOptions, placement: Placement) -> PromptEmbeds:
        """Check the folder, and encode the prompts; see `Family`."""
        self.check(model.folder, model.preset)
        return self.encode_texts(model.folder, self.texts(options), placement)
