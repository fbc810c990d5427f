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
from ..flow import folder as flow
from ..flow.folder import TEXT_ENCODER, TRANSFORMER, VAE, VARIANTS, WEIGHTS, FolderKind
from ..flow.folder import TOKENIZER as TOKENIZER
from ..weights import folders
from ..weights.folders import plain_preset, read_json

SINGLE_FILES = ("ltxv-2b-0.9.8-distilled.safetensors", "ltxv-2b-0.9.6-distilled-04-25.safetensors")
"""Single files whose architecture is in `configs/`, as Lightricks names them."""

CONFIGS = Path(__file__).parent / "configs"
BUNDLED = {TRANSFORMER: CONFIGS / "transformer-2b.json", VAE: CONFIGS / "vae-0.9.5.json"}
"""diffusers' configurations of the 2B models from 0.9.5 on: the single file has none that diffusers can read."""

KIND = FolderKind(
    "LTX-Video",
    {TRANSFORMER: "LTXVideoTransformer3DModel", VAE: "AutoencoderKLLTXVideo"},
    # 4.76 billion numbers, computed from its configuration.
    "T5-XXL: 9.5 GB in 16-bit numbers, 19 GB in 32-bit ones",
)

SIGMAS = (1.0, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725, 0.4219)
"""Noise levels of the distilled models (Lightricks' configurations; diffusers' docs, ltx_video.md)."""

DISTILLED = {"steps": len(SIGMAS), "schedule": "fixed", "sigmas": SIGMAS, "min_guidance": 1.0, "max_guidance": 1.0}
RATES = {
    "standard": {"fps": 12, "interpolation": 2},
    "smooth": {"fps": 24, "interpolation": 2},
    "sampled": {"fps": 24, "interpolation": 1},
}
"""Frames a second: the model is told the rate. At 12 a video of 12 s is one window; 24 is what it was trained on."""


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
        raise KIND.not_whole(folder, f"{part}/config.json", _remedy(None))
    return read_json(own)


def recognises(folder: Path) -> bool:
    """Tell whether a folder looks like an LTX-Video model, whole or not."""
    if single_file(folder):
        return True
    try:
        return config(folder, TRANSFORMER).get("_class_name") == KIND.classes[TRANSFORMER]
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
    todo = _remedy(preset)
    KIND.check_there(folder, todo)
    for part in KIND.classes:
        if not (folder / part / "config.json").is_file() and not single_file(folder):
            raise KIND.not_whole(folder, f"{part}/config.json", todo)
        KIND.check_class(folder, part, config(folder, part))
    _check_architecture(folder)
    variants: dict[str, tuple[str, ...]] = {}
    if not single_file(folder):
        for part in (VAE, TRANSFORMER):
            variants[part] = folders.weight_variants(folder / part, WEIGHTS[part], VARIANTS, todo)
    KIND.check_words(folder, todo)
    return ModelFiles({**variants, TEXT_ENCODER: ("",)}, fingerprint(folder, (VAE, TRANSFORMER)))


def fingerprint(folder: Path, parts: tuple[str, ...]) -> str:
    """Return the fingerprint of some components; the single file counts with the transformer."""
    single = single_file(folder)
    return flow.fingerprint(folder, parts, *([single] if single and TRANSFORMER in parts else []))


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


def _remedy(preset: ModelPreset | None) -> Message:
    return flow.remedy(
        preset,
        msg(
            "give the path of a complete folder in diffusers' format (transformer, vae, text_encoder, tokenizer), or "
            "with {file}, text_encoder and tokenizer",
            file=SINGLE_FILES[0],
        ),
    )
