"""Inspect the folders of video transformers: their kind, completeness and size. Without torch.

There are two layouts: diffusers' (`transformer/`, `vae/`), and a single file with transformer and VAE. Text encoder and
tokenizer have their own folders in both.
"""

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....fs import visible_files
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ....safetensors_header import tensor_shapes
from ..base import ModelFiles, ModelFolder, ModelSize
from ..weights import folders
from ..weights.files.contents import FileHeader
from ..weights.files.header import read_weights_file
from ..weights.files.shapes import Shapes
from ..weights.folders import numbers_by_tensor, parameters, plain_preset, read_json
from .lora import LoraLayers, Renames, check_fits, layer_name, read_layers, without
from .weights_files import check_weights_file, fingerprints, packed, weights_files

TEXT_ENCODER, VAE, TRANSFORMER, TOKENIZER = "text_encoder", "vae", "transformer", "tokenizer"
WEIGHTS = {TEXT_ENCODER: "model", VAE: "diffusion_pytorch_model", TRANSFORMER: "diffusion_pytorch_model"}
"""The components that have weights, and the stem of their files in diffusers' folder format."""

VARIANTS = ("", "bf16", "fp16")
SPIECE = "spiece.model"
TOKENIZER_FILES = ("tokenizer.json", SPIECE)

DISTILLED = re.compile(r"lightning|lightx2v|distill|turbo|fastwan|dmd|rapid|\d+[-_ ]?steps?\b", re.IGNORECASE)
"""In the name of a file or folder whose model samples in a few steps without guidance."""


@dataclass(frozen=True)
class FlowFolders(ABC):
    """The folders of a family.

    Attributes:
        family: Name of the family.
        name: Name of its models in errors: `LTX-Video`.
        classes: Required class in a component's configuration, by component.
        text_encoder: Name and size of the text encoder.
        usual: Preset keys of a folder without its own preset.
        full: Size of a model that is not here yet.
        complete: Remedy for an incomplete folder that is not from the hub.
        single_files: Names of the files that hold transformer and VAE together.
        bundled: Configurations for a single file without its own, by component.
        few_steps: Preset keys of distilled models, by a lower-case part of their files' names; "" = any other.
        not_distilled: Matches names of undistilled models, in a family most of whose models are distilled; None =
            models that do not say are undistilled.
        renames: From the makers' names of the transformer's layers to diffusers'.
        left_out: Matches layers (by diffusers' names) that an older model's LoRA may have and this transformer lacks.
            They are ignored; any other unknown layer is an error.
        others: Sizes of models of another size, by the hub's repository.
        denoisers: Names of the transformers.
    """

    family: str
    name: str
    classes: Mapping[str, str]
    text_encoder: str
    usual: Mapping[str, Any]
    full: ModelSize
    complete: Message
    single_files: tuple[str, ...] = ()
    bundled: Mapping[str, Path] = field(default_factory=dict)
    few_steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    not_distilled: re.Pattern[str] | None = None
    renames: Renames = ()
    left_out: re.Pattern[str] | None = None
    others: Mapping[str, ModelSize] = field(default_factory=dict)
    denoisers: tuple[str, ...] = (TRANSFORMER,)

    @abstractmethod
    def supports(self, folder: Path, transformer: Mapping[str, Any], vae: Mapping[str, Any]) -> Message | None:
        """Return why a model with these configurations is not supported, or None."""

    @abstractmethod
    def shapes(self, transformer: Mapping[str, Any]) -> Shapes:
        """Return the shapes of a transformer's weights. transformer: its configuration."""

    @abstractmethod
    def decoder_channels(self, vae: Mapping[str, Any]) -> int | None:
        """Return the channels of the decoder's last level; None if the configuration does not say."""

    def single_file(self, folder: Path) -> Path | None:
        """Return the single file with transformer and VAE; None in a folder in diffusers' format."""
        places = (folder / name for name in self.single_files)
        return next((place for place in places if os.path.isfile(place)), None)

    def config(self, folder: Path, part: str) -> dict[str, Any]:
        """Read a component's configuration.

        Raises:
            ModelError: It is missing or cannot be read.
        """
        return self._config(folder, part, self._remedy(None))

    def recognises(self, folder: Path) -> bool:
        """Tell whether a folder looks like a model of this family, complete or not."""
        if self.single_file(folder):
            return True
        try:
            return self.config(folder, TRANSFORMER).get("_class_name") == self.classes[TRANSFORMER]
        except ModelError:
            return False

    def preset(self, folder: Path) -> ModelPreset:
        """Make a preset for a plain folder, with its `fanslymotion.json` if present.

        Raises:
            ModelError: A file cannot be read, or `fanslymotion.json` has a wrong value.
        """
        return plain_preset(folder, {"trial": True, **self.usual, **self.preset_changes(folder)}, family=self.family)

    def preset_changes(self, folder: Path) -> Mapping[str, Any]:
        """Return the preset keys that differ from `usual`, according to the folder's own files."""
        return {}

    def distilled(self, name: str) -> bool | None:
        """Tell by the name of a file or folder whether its model is distilled; None = unknown."""
        if DISTILLED.search(name):
            return True
        return False if self.not_distilled is None or self.not_distilled.search(name) else None

    def undistilled(self, folder: Path) -> Mapping[str, Any]:
        """Return the preset keys of an undistilled model of the folder's architecture."""
        return self.usual["sampling"]

    def rotated(self, file: Path, folder: Path) -> bool:
        """Tell whether a file's 8-bit floats are multiplied by Hadamard matrices (`weights.files.rotation`).

        Raises:
            ModelError: They may be, but that cannot be determined.
        """
        return False

    def other_parts(self, file: Path, header: FileHeader, folder: Path) -> Message | None:
        """Return why a file's transformer does not fit the folder's other components, or None."""
        return None

    def check(self, folder: Path, preset: ModelPreset | None = None) -> ModelFiles:
        """Check that a folder holds a whole model.

        Raises:
            ModelError: Something is missing or wrong; the text says what, and what to do.
        """
        todo = self._remedy(preset)
        if not folder.is_dir():
            raise ModelError(
                msg("there is no model folder {folder}; {remedy}", folder=folder, remedy=todo),
                code=codes.MODEL_ABSENT,
            )
        configs = {part: self._config(folder, part, todo) for part in self.classes}
        for part, config in configs.items():
            self._check_class(folder, part, config)
        if why := self.supports(folder, configs[TRANSFORMER], configs[VAE]):
            raise ModelError(why, code=codes.WRONG_SETTING)
        variants: dict[str, tuple[str, ...]] = {}
        replaced = bool(weights_files(preset))
        if not self.single_file(folder):
            for part in (VAE,) if replaced else (VAE, TRANSFORMER):
                variants[part] = folders.weight_variants(folder / part, WEIGHTS[part], VARIANTS, todo)
        self._check_words(folder, todo)
        if preset is not None and replaced:
            self._check_files(folder, preset)
            fingerprint = self._files_fingerprint(folder, preset)
        else:
            fingerprint = self.fingerprint(folder, (VAE, TRANSFORMER))
        return ModelFiles({**variants, TEXT_ENCODER: ("",)}, fingerprint)

    def fingerprint(self, folder: Path, parts: tuple[str, ...]) -> str:
        """Return the fingerprint of some components; the single file counts with the transformer."""
        single = self.single_file(folder)
        return self.digest(folder, [*(folder / part for part in parts), *([single] if TRANSFORMER in parts else [])])

    def digest(self, folder: Path, places: Iterable[Path | None]) -> str:
        """Return the fingerprint of those of the places that exist."""
        there = [place for place in places if place is not None and place.exists()]
        return folders.fingerprint(folder, there, (".json", ".model"))

    def check_file(self, file: Path, folder: Path, part: str, preset: ModelPreset) -> None:
        """Check that a file of weights can replace a transformer.

        Args:
            file: The file.
            folder: The model's, whose configuration it must fit.
            part: Name of the transformer.
            preset: The model's, for the error.

        Raises:
            ModelError: It cannot.
        """
        shapes = self.file_shapes(folder, part, preset)
        check_weights_file(file, shapes, self.renames, self.name, preset.base or preset.name)
        if why := self.other_parts(file, read_weights_file(file), folder):
            raise ModelError(why, code=codes.WRONG_SETTING)

    def file_shapes(self, folder: Path, part: str, preset: ModelPreset | None = None) -> Shapes:
        """Return the shapes of a transformer's weights according to the folder's configuration.

        Args:
            folder: The model's.
            part: Name of the transformer.
            preset: The model's, for the error.

        Raises:
            ModelError: The configuration is missing, unreadable or incomplete.
        """
        config = self._config(folder, part, self._remedy(preset))
        try:
            return self.shapes(config)
        except (KeyError, TypeError) as e:
            raise folders.unreadable(folder / part / "config.json", e) from e

    def _check_files(self, folder: Path, preset: ModelPreset) -> None:
        files = weights_files(preset)
        if len(files) != len(self.denoisers):
            raise ModelError(
                msg(
                    "{model} has {count} transformers, and {given} files of weights are named for it; add it anew: "
                    "fanslymotion models use",
                    model=preset.name,
                    count=len(self.denoisers),
                    given=len(files),
                ),
                code=codes.WRONG_SETTING,
            )
        for part, file in zip(self.denoisers, files, strict=True):
            self.check_file(file, folder, part, preset)

    def _files_fingerprint(self, folder: Path, preset: ModelPreset) -> str:
        """Return the fingerprint of the files, and of what is taken from the folder."""
        configs = [folder / part / "config.json" for part in self.denoisers]
        shared = self.digest(folder, [folder / VAE, *configs, folder / folders.INDEX, self.single_file(folder)])
        parts = (shared, *fingerprints(preset), *(["rotated"] if preset.rotated else []))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def size(self, folder: Path, preset: ModelPreset) -> ModelSize:
        """Count a model's parameters from its files' headers, in milliseconds; missing ones count as in `full`."""
        full = self.others.get(preset.repository, self.full)
        transformer, vae = self._known(folder, TRANSFORMER), self._known(folder, VAE)
        counted = self._counted(folder)
        numbers, packed_numbers, packed_bytes = packed(weights_files(preset))
        heads, head = transformer.get("num_attention_heads"), transformer.get("attention_head_dim")
        width = int(heads) * int(head) if heads and head else full.channels
        return replace(
            full,
            unet=numbers or counted[TRANSFORMER] or full.unet,
            vae=counted[VAE] or full.vae,
            text_encoder=parameters(folder / TEXT_ENCODER) or full.text_encoder,
            channels=width,
            vae_channels=self.decoder_channels(vae) or full.vae_channels,
            attention=width * int(transformer.get("num_layers") or full.attention / full.channels),
            width=preset.width,
            height=preset.height,
            frames=preset.frames,
            packed_numbers=packed_numbers,
            packed_bytes=packed_bytes,
        )

    def lora_layers(self, model: ModelFolder, lora: Path) -> LoraLayers:
        """Return the layers that a LoRA changes in a model's transformer.

        Args:
            model: The model.
            lora: The file.

        Raises:
            ModelError: The file is damaged, or made for another model.
        """
        found = read_layers(lora, self.renames)
        if weights_files(model.preset):  # the folder's own weights may be gone
            shapes = self.file_shapes(model.folder, self.denoisers[0], model.preset)
        else:
            shapes = self._transformer_shapes(model.folder)
        if self.left_out is not None:
            found = without(found, self.left_out)
        check_fits(lora, found, shapes, model.name)
        return found

    def transformer_files(self, folder: Path) -> list[Path]:
        """Return the files with the transformer's weights; none where they are gone."""
        single = self.single_file(folder)
        return [single] if single else visible_files(folder / TRANSFORMER, "*.safetensors")

    def _transformer_shapes(self, folder: Path) -> Mapping[str, Sequence[int]]:
        """Return the shapes of the transformer's weights, by diffusers' names."""
        found: dict[str, list[int]] = {}
        for file in self.transformer_files(folder):
            try:
                shapes = tensor_shapes(file)
            except (OSError, ValueError) as e:
                raise folders.unreadable(file, e) from e
            found |= {layer_name(name, self.renames): shape for name, shape in shapes.items()}
        return found

    def _config(self, folder: Path, part: str, todo: Message) -> dict[str, Any]:
        own = folder / part / "config.json"
        if part in self.bundled and self.single_file(folder) and not self._of_single_file(own, WEIGHTS[part]):
            own = self.bundled[part]
        if not own.is_file():
            raise self._not_whole(folder, f"{part}/config.json", todo)
        return read_json(own)

    @staticmethod
    def _of_single_file(config: Path, stem: str) -> bool:
        """Tell whether a configuration belongs to the single file. With weights beside it, it describes those.

        Lightricks/LTX-Video has version 0.9.0 in folders, and newer versions in single files.
        """
        return config.is_file() and not folders.has_weights(config.parent, stem)

    def _known(self, folder: Path, part: str) -> dict[str, Any]:
        try:
            return self.config(folder, part)
        except (ModelError, OSError):
            return {}

    def _counted(self, folder: Path) -> dict[str, int]:
        """Count parameters: in a single file those of the VAE by their names, all others as the transformer's."""
        single = self.single_file(folder)
        if single is None:
            return {part: parameters(folder / part) for part in (VAE, TRANSFORMER)}
        found = {VAE: 0, TRANSFORMER: 0}
        for name, numbers in numbers_by_tensor(single).items():
            found[VAE if name.startswith("vae.") else TRANSFORMER] += numbers
        return found

    def _check_class(self, folder: Path, part: str, config: Mapping[str, Any]) -> None:
        found, wanted = config.get("_class_name"), self.classes[part]
        if found != wanted:
            raise ModelError(
                msg(
                    "{folder} is no {kind} model: its {part} is a {found}, it must be a {wanted}; choose a folder of "
                    "that architecture in diffusers' format",
                    folder=folder,
                    kind=self.name,
                    part=part,
                    found=found,
                    wanted=wanted,
                ),
                code=codes.WRONG_SETTING,
            )

    def _check_words(self, folder: Path, todo: Message) -> None:
        text = folder / TEXT_ENCODER
        if not (text / "config.json").is_file() or not folders.has_weights(text, WEIGHTS[TEXT_ENCODER]):
            raise ModelError(
                msg(
                    "{folder} lacks the text encoder ({part}, {size}), without which the model reads no prompt, not "
                    "even an empty one; {remedy}",
                    folder=folder,
                    part=f"{TEXT_ENCODER}/",
                    size=self.text_encoder,
                    remedy=todo,
                ),
                code=codes.MODEL_ABSENT,
            )
        if not any((folder / TOKENIZER / name).is_file() for name in TOKENIZER_FILES):
            raise self._not_whole(folder, f"{TOKENIZER}/{TOKENIZER_FILES[0]}", todo)

    def _not_whole(self, folder: Path, part: str, todo: Message) -> ModelError:
        return ModelError(
            msg(
                "{folder} is not a whole {kind} model: {part} is missing; {remedy}",
                folder=folder,
                kind=self.name,
                part=part,
                remedy=todo,
            ),
            code=codes.MODEL_ABSENT,
        )

    def _remedy(self, preset: ModelPreset | None) -> Message:
        if preset is not None and (preset.source == "hub" or (preset.base and preset.repository)):
            return msg("download it: fanslymotion models download {name}", name=preset.base or preset.name)
        return self.complete
