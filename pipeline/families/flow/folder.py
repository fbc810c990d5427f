"""Check what all folders of video transformers must have: classes, text encoder, tokenizer. Without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ..weights import folders

TEXT_ENCODER, VAE, TRANSFORMER, TOKENIZER = "text_encoder", "vae", "transformer", "tokenizer"
WEIGHTS = {TEXT_ENCODER: "model", VAE: "diffusion_pytorch_model", TRANSFORMER: "diffusion_pytorch_model"}
"""The components that have weights, and the stem of their files in diffusers' folder format."""

VARIANTS = ("", "bf16", "fp16")
SPIECE = "spiece.model"
TOKENIZER_FILES = ("tokenizer.json", SPIECE)


@dataclass(frozen=True)
class FolderKind:
    """A family's folders, as errors name them.

    Attributes:
        name: Of the models: `LTX-Video`.
        classes: The class that a component's configuration must name, by the component.
        text_encoder: The text encoder's name and size.
    """

    name: str
    classes: Mapping[str, str]
    text_encoder: str

    def check_there(self, folder: Path, remedy: Message) -> None:
        """Raise ModelError unless the folder is there."""
        if not folder.is_dir():
            raise ModelError(
                msg("there is no model folder {folder}; {remedy}", folder=folder, remedy=remedy),
                code=codes.MODEL_ABSENT,
            )

    def check_class(self, folder: Path, part: str, config: Mapping[str, Any]) -> None:
        """Raise ModelError unless a component's configuration is of the right class."""
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

    def check_words(self, folder: Path, remedy: Message) -> None:
        """Raise ModelError unless text encoder and tokenizer are there."""
        text = folder / TEXT_ENCODER
        if not (text / "config.json").is_file() or not folders.has_weights(text, WEIGHTS[TEXT_ENCODER]):
            raise ModelError(
                msg(
                    "{folder} lacks the text encoder ({part}, {size}), without which the model reads no prompt, not "
                    "even an empty one; {remedy}",
                    folder=folder,
                    part=f"{TEXT_ENCODER}/",
                    size=self.text_encoder,
                    remedy=remedy,
                ),
                code=codes.MODEL_ABSENT,
            )
        if not any((folder / TOKENIZER / name).is_file() for name in TOKENIZER_FILES):
            raise self.not_whole(folder, f"{TOKENIZER}/{TOKENIZER_FILES[0]}", remedy)

    def not_whole(self, folder: Path, part: str, remedy: Message) -> ModelError:
        """Say that a file is missing."""
        return ModelError(
            msg(
                "{folder} is not a whole {kind} model: {part} is missing; {remedy}",
                folder=folder,
                kind=self.name,
                part=part,
                remedy=remedy,
            ),
            code=codes.MODEL_ABSENT,
        )


def remedy(preset: ModelPreset | None, otherwise: Message) -> Message:
    """Say what to do about a folder that is not whole. otherwise: what to do about one that is not from the hub."""
    if preset is not None and preset.source == "hub":
        return msg("download it: fanslymotion models download {name}", name=preset.name)
    return otherwise


def fingerprint(folder: Path, parts: tuple[str, ...], *files: Path) -> str:
    """Return the fingerprint of some components; see `weights.folders.fingerprint`.

    Args:
        folder: The model's.
        parts: Components that count.
        *files: Files outside their folders that count, too.
    """
    return folders.fingerprint(folder, [*(folder / part for part in parts), *files], (".json", ".model"))
