"""Check that a folder holds a whole LTX-Video model, and make its preset. Without torch.

Two layouts are read: diffusers' (`transformer/`, `vae/`), and the one that Lightricks publishes, a single file with
the transformer and the VAE. Text encoder and tokenizer lie in folders of their own in both.
"""

from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ..base import ModelFiles
from ..weights import folders
from ..weights.folders import plain_preset, read_json

TEXT_ENCODER, VAE, TRANSFORMER, TOKENIZER = "text_encoder", "vae", "transformer", "tokenizer"
WEIGHTS = {TEXT_ENCODER: "model", VAE: "diffusion_pytorch_model", TRANSFORMER: "diffusion_pytorch_model"}
"""The components that have weights, and the stem of their files in diffusers' folder format."""

SINGLE_FILES = ("ltxv-2b-0.9.8-distilled.safetensors", "ltxv-2b-0.9.6-distilled-04-25.safetensors")
"""Single files whose architecture is in `configs/`, as Lightricks names them."""

CONFIGS = Path(__file__).parent / "configs"
BUNDLED = {TRANSFORMER: CONFIGS / "transformer-2b.json", VAE: CONFIGS / "vae-0.9.5.json"}
"""diffusers' configurations of the 2B models from 0.9.5 on: the single file has none that diffusers can read."""

CLASSES = {TRANSFORMER: "LTXVideoTransformer3DModel", VAE: "AutoencoderKLLTXVideo"}
VARIANTS = ("", "bf16", "fp16")
SPIECE = "spiece.model"
TOKENIZER_FILES = ("tokenizer.json", SPIECE)

SIGMAS = (1.0, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725, 0.4219)
"""Noise levels of the distilled models (Lightricks' configurations; diffusers' docs, ltx_video.md)."""

DISTILLED = {"steps": len(SIGMAS), "schedule": "fixed", "sigmas": SIGMAS, "min_guidance": 1.0, "max_guidance": 1.0}
RATES = {
    "standard": {"fps": 12, "interpolation": 2},
    "smooth": {"fps": 24, "interpolation": 2},
    "sampled": {"fps": 24, "interpolation": 1},
}
"""Frames a second: the model is told the rate. At 12 a video of 12 s is one window; 24 is what it was trained on."""

TEXT_ENCODER_SIZE = "T5-XXL: 9.5 GB in 16-bit numbers, 19 GB in 32-bit ones"
"""4.76 billion numbers, computed from its configuration."""


def single_file(folder: Path) -> Path | None:
    """Return the single file with transformer and VAE, or None in a folder of diffusers' format."""
    return next((folder / name for name in SINGLE_FILES if (folder / name).is_file()), None)


def config(folder: Path, part: str) -> dict[str, Any]:
    """Read a component's configuration.

    Raises:
        ModelError: It is missing or cannot be read.
    """
    own = folder / part / "config.json"
    if part in BUNDLED and not own.is_file() and single_file(folder):
        own = BUNDLED[part]
    if not own.is_file():
        raise _not_whole(folder, f"{part}/config.json", _remedy(None))
    return read_json(own)


def recognises(folder: Path) -> bool:
    """Tell whether a folder looks like an LTX-Video model, whole or not."""
    if single_file(folder):
        return True
    try:
        return config(folder, TRANSFORMER).get("_class_name") == CLASSES[TRANSFORMER]
    except ModelError:
        return False


def folder_preset(folder: Path) -> ModelPreset:
    """Make a preset for a plain folder, with its `fanslymotion.json` where present.

    Raises:
        ModelError: A file cannot be read, or `fanslymotion.json` has a wrong value.
    """
    usual = {"width": 1216, "height": 704, "frames": 161, "sampling": DISTILLED, "rates": RATES, "trial": True}
    return plain_preset(folder, usual, family="ltx")


def check_folder(folder: Path, preset: ModelPreset | None = None) -> ModelFiles:
    """Check that a folder holds a whole LTX-Video model.

    Raises:
        ModelError: Something is missing or wrong; the text says what, and what to do.
    """
    remedy = _remedy(preset)
    if not folder.is_dir():
        raise ModelError(
            msg("there is no model folder {folder}; {remedy}", folder=folder, remedy=remedy), code=codes.MODEL_ABSENT
        )
    for part, wanted in CLASSES.items():
        _check_class(folder, part, wanted, remedy)
    _check_architecture(folder)
    variants: dict[str, tuple[str, ...]] = {}
    if not single_file(folder):
        for part in (VAE, TRANSFORMER):
            variants[part] = folders.weight_variants(folder / part, WEIGHTS[part], VARIANTS, remedy)
    text = folder / TEXT_ENCODER
    if not (text / "config.json").is_file() or not folders.has_weights(text, WEIGHTS[TEXT_ENCODER]):
        raise ModelError(
            msg(
                "{folder} lacks the text encoder ({part}, {size}), without which the model reads no prompt, not even "
                "an empty one; {remedy}",
                folder=folder,
                part=f"{TEXT_ENCODER}/",
                size=TEXT_ENCODER_SIZE,
                remedy=remedy,
            ),
            code=codes.MODEL_ABSENT,
        )
    if not any((folder / TOKENIZER / name).is_file() for name in TOKENIZER_FILES):
        raise _not_whole(folder, f"{TOKENIZER}/{TOKENIZER_FILES[0]}", remedy)
    return ModelFiles({**variants, TEXT_ENCODER: ("",)}, fingerprint(folder, (VAE, TRANSFORMER)))


def fingerprint(folder: Path, parts: tuple[str, ...]) -> str:
    """Return the fingerprint of some components; see `weights.folders.fingerprint`.

    Args:
        folder: The model's.
        parts: Components that count; the single file counts with the transformer.
    """
    places, single = [folder / part for part in parts], single_file(folder)
    if single and TRANSFORMER in parts:
        places.append(single)
    return folders.fingerprint(folder, places, (".json", ".model"))


def _check_class(folder: Path, part: str, wanted: str, remedy: Message) -> None:
    if not (folder / part / "config.json").is_file() and not single_file(folder):
        raise _not_whole(folder, f"{part}/config.json", remedy)
    found = config(folder, part).get("_class_name")
    if found != wanted:
        raise ModelError(
            msg(
                "{folder} is not an LTX-Video model: its {part} is a {found}, it must be a {wanted}; choose a folder "
                "of that architecture in diffusers' format",
                folder=folder,
                part=part,
                found=found,
                wanted=wanted,
            ),
            code=codes.WRONG_SETTING,
        )


def _check_architecture(folder: Path) -> None:
    """Refuse what the window loop cannot do: patches of tokens, other strides, noise inside the decoder (0.9.1)."""
    transformer, vae = config(folder, TRANSFORMER), config(folder, VAE)
    patches = (transformer.get("patch_size", 1), transformer.get("patch_size_t", 1))
    strides = (vae.get("spatial_compression_ratio") or 32, vae.get("temporal_compression_ratio") or 8)
    if patches != (1, 1) or strides != (32, 8) or any(vae.get("decoder_inject_noise", ())):
        raise ModelError(
            msg(
                "{folder} is an LTX-Video model of another kind than from 0.9.5 on; choose one of those",
                folder=folder,
            ),
            code=codes.WRONG_SETTING,
        )


def _not_whole(folder: Path, part: str, remedy: Message) -> ModelError:
    return ModelError(
        msg(
            "{folder} is not a whole LTX-Video model: {part} is missing; {remedy}",
            folder=folder,
            part=part,
            remedy=remedy,
        ),
        code=codes.MODEL_ABSENT,
    )


def _remedy(preset: ModelPreset | None) -> Message:
    if preset is not None and preset.source == "hub":
        return msg("download it: fanslymotion models download {name}", name=preset.name)
    return msg(
        "give the path of a complete folder in diffusers' format (transformer, vae, text_encoder, tokenizer), or with "
        "{file}, text_encoder and tokenizer",
        file=SINGLE_FILES[0],
    )
