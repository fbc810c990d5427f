"""Check that a folder holds a whole Stable Video Diffusion model, and make its preset. Without torch."""

import json
import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ....errors import ModelError
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ..base import ModelFiles
from ..base import ModelFolder as ModelFolder  # tests and benches take all of a folder from here

log = logging.getLogger(__name__)

OWN_FILE = "fanslymotion.json"
"""Optional file in a model folder: preset keys (width, height, frames, sampling, …) that the folder brings along."""

UNET, VAE, IMAGE_ENCODER = "unet", "vae", "image_encoder"
WEIGHTS = {UNET: "diffusion_pytorch_model", VAE: "diffusion_pytorch_model", IMAGE_ENCODER: "model"}
"""The components that have weights, and the stem of their files in diffusers' folder format."""

CONFIGS = {
    UNET: "unet/config.json",
    VAE: "vae/config.json",
    IMAGE_ENCODER: "image_encoder/config.json",
    "scheduler": "scheduler/scheduler_config.json",
    "feature_extractor": "feature_extractor/preprocessor_config.json",
}
CLASSES = {UNET: "UNetSpatioTemporalConditionModel", VAE: "AutoencoderKLTemporalDecoder"}


def folder_preset(folder: Path) -> ModelPreset:
    """Make a preset for a plain folder from its configuration and, where present, its `fanslymotion.json`.

    Raises:
        ModelError: A file cannot be read, or `fanslymotion.json` has a wrong value.
    """
    unet, vae = _config(folder, UNET), _config(folder, VAE)
    factor = 2 ** (len(vae.get("block_out_channels", (1,) * 4)) - 1)
    width, height = native_size(unet.get("sample_size"), factor)
    own = _read_json(folder / OWN_FILE) if (folder / OWN_FILE).is_file() else {}
    keys: dict[str, Any] = {
        "label": folder.name,
        "width": width,
        "height": height,
        "frames": unet.get("num_frames") or 14,
        **own,
        "name": folder.name,
        "source": "folder",
        "folder": str(folder),
    }
    try:
        return ModelPreset.model_validate(keys)
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            msg(
                "{folder}: {key} is {value!r}: {why}; correct {file} there",
                folder=folder,
                key=key,
                value=first["input"],
                why=first["msg"],
                file=OWN_FILE,
            ),
            code=codes.WRONG_SETTING,
        ) from e


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
    variants = {part: _variants(folder / part, stem, remedy) for part, stem in WEIGHTS.items()}
    return ModelFiles(variants, _fingerprint(folder))


def _variants(folder: Path, stem: str, remedy: Message) -> tuple[str, ...]:
    found = []
    for variant in ("", "fp16"):
        dot = f".{variant}" if variant else ""
        names = (f"{stem}{dot}.safetensors", f"{stem}.safetensors.index{dot}.json")
        if any((folder / name).is_file() for name in names):
            found.append(variant)
    if found:
        return tuple(found)
    if any(folder.glob("*.bin")) or any(folder.glob("*.ckpt")) or any(folder.glob("*.pt")):
        raise ModelError(
            msg(
                "{folder} has its weights only as pickle files, which can run any code when they are opened and "
                "are never loaded here; get the model's .safetensors files",
                folder=folder,
            )
        )
    missing = folder / (stem + ".safetensors")
    raise ModelError(msg("{file} is missing; {remedy}", file=missing, remedy=remedy), code=codes.MODEL_ABSENT)


def _fingerprint(folder: Path) -> str:
    """Sizes and configurations, not dates: a copied folder stays the same model."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json" and path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
        elif path.suffix == ".safetensors":
            digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


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
    return _read_json(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise ModelError(
            msg("{file} cannot be read: {error}; get that file of the model again", file=path, error=e)
        ) from e
    if not isinstance(data, dict):
        raise ModelError(
            msg("{file} does not hold what it should (a JSON object); get that file of the model again", file=path)
        )
    return data
