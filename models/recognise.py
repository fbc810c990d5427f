"""Recognise from a file's header what is no transformer of a video model, and say what to do with it. No torch."""

import re
from pathlib import Path

from ..errors import BadInput
from ..messages import Message, codes, msg
from ..pipeline.families.weights.files.header import read_weights_file
from ..settings import Settings
from .loras import loras_folder

PART = re.compile(r"-\d{5}-of-\d{5}$")
"""At the end of the name of a file that is cut into several, as Hugging Face's libraries write them."""
LORA = re.compile(r"\.(lora_[AB]|lora_down|lora_up|lokr_w\d|hada_w\d)\b|^lora_(unet|te)")
SVD = re.compile(r"\b(input_blocks|output_blocks)\..*\.time_stack\.|\.temporal_transformer_blocks\.")
"""Layers between frames: in its makers' names, and in diffusers'."""
SVD_MODEL = "svd-xt"

TEXT = re.compile(r"^(.*\.)?(shared|token_embedding|embed_tokens)\.weight$|^(.*\.)?text_model\.")
IMAGE = re.compile(r"^(.*\.)?(vision_model|visual)\.")
VAE = re.compile(
    r"^(first_stage_model\.|vae\.)?(encoder|decoder|conv[12]|(post_)?quant_conv|per_channel_statistics|latents_(mean|std)$)"
)
VAE_PART = re.compile(r"^(first_stage_model\.|vae\.)?decoder\.")


def refuse_others(file: Path, settings: Settings) -> None:
    """Refuse a file that is something else than a transformer's weights.

    Args:
        file: Of weights, GGUF or safetensors.
        settings: tell the folder of LoRAs.

    Raises:
        BadInput: It is: the text says what, and what to do.
        ModelError: It is missing or damaged.
    """
    names = frozenset(read_weights_file(file).shapes)
    if PART.search(file.stem):
        raise BadInput(
            msg(
                "{file} is one part of several, which are read only in a model's whole folder in diffusers' format; "
                "give that folder, or a file in one piece",
                file=file,
            ),
            code=codes.WRONG_SETTING,
        )
    if any(map(LORA.search, names)):
        folder = loras_folder(settings)
        raise BadInput(
            msg(
                "{file} is a LoRA, which is added to a model: put it into {folder}, and choose it by its name (--lora)",
                file=file,
                folder=folder,
            ),
            code=codes.WRONG_SETTING,
        )
    if any(map(SVD.search, names)):
        raise BadInput(
            msg(
                "{file} is Stable Video Diffusion in a single file, which is not supported; download that model: "
                "fanslymotion models download {name}",
                file=file,
                name=SVD_MODEL,
            ),
            code=codes.WRONG_SETTING,
        )
    if part := _part(names):
        raise BadInput(
            msg(
                "{file} is only {part}; give a file of a transformer: all else is taken from a model that is here",
                file=file,
                part=part,
            ),
            code=codes.WRONG_SETTING,
        )


def _part(names: frozenset[str]) -> Message | None:
    """Return which other component a file holds alone; None if it is none that is known."""
    if any("blocks.0.self_attn." in name or "transformer_blocks.0." in name for name in names):
        return None  # beside a transformer there may be others
    if any(map(TEXT.search, names)):
        return msg("a text encoder")
    if any(map(IMAGE.search, names)):
        return msg("an image encoder")
    if any(map(VAE_PART.search, names)) and all(map(VAE.search, names)):
        return msg("a VAE")
    return None
