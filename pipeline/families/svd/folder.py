"""Check that a folder holds a whole Stable Video Diffusion model, and make its preset. Without torch."""

import logging
from pathlib import Path
from typing import Any

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ..base import ModelFiles
from ..base import ModelFolder as ModelFolder  # tests and benches take all of a folder from here
from ..weights.folders import fingerprint, plain_preset, read_json, weight_variants

log = logging.getLogger(__name__)

UNET, VAE, IMAGE_ENCODER = "unet", "vae", "image_encoder"
WEIGHTS = {UNET: "diffusion_pytorch_model", VAE: "diffusion_pytorch_model", IMAGE_ENCODER: "model"}
"""The components that have weights, and the stem of their files in diffusers' folder format."""

PATCH_DECODER = "decoder"
"""A component that a model may have beside diffusers': the decoder that takes the place of the VAE's
(decoding/patch_decoder.py)."""

VARIANTS = ("", "fp16")

CONFIGS = {
    UNET: "unet/config.json",
    VAE: "vae/config.json",
    IMAGE_ENCODER: "image_encoder/config.json",
    "scheduler": "scheduler/scheduler_config.json",
    "feature_extractor": "feature_extractor/preprocessor_config.json",
}
PATCH_CONFIG = f"{PATCH_DECODER}/config.json"
CLASSES = {UNET: "UNetSpatioTemporalConditionModel", VAE: "AutoencoderKLTemporalDecoder"}


def folder_preset(folder: Path) -> ModelPreset:
    """Make a preset for a plain folder from its configuration and, where present, its `fanslymotion.json`.

    Raises:
        ModelError: A file cannot be read, or `fanslymotion.json` has a wrong value.
    """
    unet, vae = _config(folder, UNET), _config(folder, VAE)
    factor = 2 ** (len(vae.get("block_out_channels", (1,) * 4)) - 1)
    width, height = native_size(unet.get("sample_size"), factor)
    frames = unet.get("num_frames") or 14
    return plain_preset(folder, {"width": width, "height": height, "frames": frames})


def native_size(sample_size: Any, factor: int) -> tuple[int, int]:
    """Return width and height in pixels for the UNet's `sample_size` (latent pixels: a side, or height and width).

    SVD itself says 96: a square of 768 pixels has the area of the 1024×576 it was trained on. A single number is
    therefore read as an area and given the shape 16:9. Sides are rounded to multiples of 8.
    """
    if isinstance(sample_size, (list, tuple)) and len(sample_size) == 2:
        height, width = (side * factor for side in sample_size)
    elif isinstance(sample_size, int) and sample_size > 0:
        width, height = sample_size * factor * 4 / 3, sample_size * factor * 3 / 4
    else:
        width, height = 1024, 576
    return max(64, round(width / 8) * 8), max(64, round(height / 8) * 8)


def check_folder(folder: Path, preset: ModelPreset | None = None) -> ModelFiles:
    """Check that a folder holds a whole Stable Video Diffusion model.

    Raises:
        ModelError: Something is missing or wrong; the text says what, and what to do.
    """
    remedy = _remedy(folder, preset)
    if not folder.is_dir():
        raise ModelError(
            msg("there is no model folder {folder}; {remedy}", folder=folder, remedy=remedy), code=codes.MODEL_ABSENT
        )
    missing = [path for path in CONFIGS.values() if not (folder / path).is_file()]
    if missing:
        raise ModelError(
            msg(
                "{folder} is not a whole Stable Video Diffusion model: {part} is missing; {remedy}",
                folder=folder,
                part=missing[0],
                remedy=remedy,
            ),
            code=codes.MODEL_ABSENT,
        )
    for part, wanted in CLASSES.items():
        found = _config(folder, part).get("_class_name")
        if found != wanted:
            raise ModelError(
                msg(
                    "{folder} is not a Stable Video Diffusion model: its {part} is a {found}, it must be a {wanted}; "
                    "choose a folder of that architecture in diffusers' format",
                    folder=folder,
                    part=part,
                    found=found,
                    wanted=wanted,
                ),
                code=codes.WRONG_SETTING,
            )
    weights = WEIGHTS | ({PATCH_DECODER: WEIGHTS[VAE]} if (folder / PATCH_CONFIG).is_file() else {})
    variants = {part: weight_variants(folder / part, stem, VARIANTS, remedy) for part, stem in weights.items()}
    return ModelFiles(variants, fingerprint(folder, [folder]))


def _remedy(folder: Path, preset: ModelPreset | None) -> Message:
    if preset is not None and preset.source == "hub":
        return msg("download it: fanslymotion models download {name}", name=preset.name)
    if preset is not None and preset.source == "bundled":
        return msg("it belongs to fanslymotion: get the complete checkout again")
    return msg(
        "give the path of a complete folder in diffusers' format (model_index.json, unet, vae, image_encoder, …)"
    )


def _config(folder: Path, part: str) -> dict[str, Any]:
    path = folder / CONFIGS[part]
    if not path.is_file():
        raise ModelError(
            msg(
                "{folder} is not a whole Stable Video Diffusion model: {part} is missing; {remedy}",
                folder=folder,
                part=CONFIGS[part],
                remedy=_remedy(folder, None),
            ),
            code=codes.MODEL_ABSENT,
        )
    return read_json(path)
