"""Check that a folder holds a whole Wan 2.2 TI2V-5B model, and make its preset. Without torch."""

from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ..base import ModelFiles
from ..flow import folder as flow
from ..flow.folder import TEXT_ENCODER, TRANSFORMER, VAE, VARIANTS, WEIGHTS, FolderKind, fingerprint
from ..flow.folder import TOKENIZER as TOKENIZER
from ..weights import folders
from ..weights.folders import plain_preset, read_json

STRIDE, SIDE, CHANNELS = 4, 16, 48
"""Of the 5B model's VAE: frames of the video to a latent frame, pixels to a latent pixel along each side, channels."""

KIND = FolderKind(
    "Wan 2.2 TI2V-5B",
    {TRANSFORMER: "WanTransformer3DModel", VAE: "AutoencoderKLWan"},
    # 5.68 billion numbers, computed from its configuration.
    "UMT5-XXL: 11.4 GB in 16-bit numbers",
)

NEGATIVE_PROMPT = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，"
    "残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，"
    "三条腿，背景人很多，倒着走"
)
"""What Wan's makers have guidance lead away from: garish colours, stills, blur, subtitles, misshapen hands, faces."""

SAMPLING: dict[str, Any] = {
    "steps": 50,
    "schedule": "flow",
    "shift": 5.0,
    "solver": "unipc",
    "min_guidance": 5.0,
    "max_guidance": 5.0,
    "negative_prompt": NEGATIVE_PROMPT,
}
"""As in Wan's own configuration of this model (`ti2v_5B`)."""

RATES = {
    "standard": {"fps": 24, "interpolation": 1},
    "smooth": {"fps": 24, "interpolation": 2},
    "sampled": {"fps": 24, "interpolation": 1},
}
"""Frames a second: 24 is what it was trained on, and it cannot be told another number."""

WIDTH, HEIGHT, FRAMES = 1280, 704, 145
"""Native size, and most frames of a window: 6 s. It was trained on 121."""


def config(folder: Path, part: str) -> dict[str, Any]:
    """Read a component's configuration.

    Raises:
        ModelError: It is missing or cannot be read.
    """
    own = folder / part / "config.json"
    if not own.is_file():
        raise KIND.not_whole(folder, f"{part}/config.json", _remedy(None))
    return read_json(own)


def recognises(folder: Path) -> bool:
    """Tell whether a folder looks like a Wan model, whole or not, of whatever kind: `check_folder` says which."""
    try:
        return config(folder, TRANSFORMER).get("_class_name") == KIND.classes[TRANSFORMER]
    except ModelError:
        return False


def folder_preset(folder: Path) -> ModelPreset:
    """Make a preset for a plain folder, with its `fanslymotion.json` where present.

    Raises:
        ModelError: A file cannot be read, or `fanslymotion.json` has a wrong value.
    """
    usual = {"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "sampling": SAMPLING, "rates": RATES, "trial": True}
    return plain_preset(folder, usual, family="wan")


def check_folder(folder: Path, preset: ModelPreset | None = None) -> ModelFiles:
    """Check that a folder holds a whole Wan 2.2 TI2V-5B model.

    Raises:
        ModelError: Something is missing or wrong; the text says what, and what to do.
    """
    todo = _remedy(preset)
    KIND.check_there(folder, todo)
    for part in KIND.classes:
        if not (folder / part / "config.json").is_file():
            raise KIND.not_whole(folder, f"{part}/config.json", todo)
        KIND.check_class(folder, part, config(folder, part))
    _check_architecture(folder)
    variants = {
        part: folders.weight_variants(folder / part, WEIGHTS[part], VARIANTS, todo) for part in (VAE, TRANSFORMER)
    }
    KIND.check_words(folder, todo)
    return ModelFiles({**variants, TEXT_ENCODER: ("",)}, fingerprint(folder, (VAE, TRANSFORMER)))


def _check_architecture(folder: Path) -> None:
    """Refuse Wan's other models: their photo goes through channels of its own, or a second transformer."""
    transformer, vae = config(folder, TRANSFORMER), config(folder, VAE)
    found = (
        transformer.get("in_channels"),
        tuple(transformer.get("patch_size", (1, 2, 2))),
        vae.get("z_dim"),
        vae.get("scale_factor_spatial"),
        vae.get("scale_factor_temporal", STRIDE),
    )
    if found != (CHANNELS, (1, 2, 2), CHANNELS, SIDE, STRIDE) or (folder / "transformer_2" / "config.json").is_file():
        raise ModelError(
            msg(
                "{folder} is a Wan model of another kind than {kind}: Wan 2.1 and the 14B models are not supported; "
                "choose one of that kind",
                folder=folder,
                kind=KIND.name,
            ),
            code=codes.WRONG_SETTING,
        )


def _remedy(preset: ModelPreset | None) -> Message:
    return flow.remedy(
        preset,
        msg("give the path of a complete folder in diffusers' format (transformer, vae, text_encoder, tokenizer)"),
    )
