"""Encode a prompt with T5: the encoder is loaded for it, and is gone before the transformer comes."""

from pathlib import Path
from typing import Any

import torch

from ....errors import ModelError
from ....messages import msg
from ...hardware.oom import is_oom
from ..base import Offload
from ..offload import hook
from ..placement import Placement
from ..words import Words
from .folder import TEXT_ENCODER, TOKENIZER

WORDS, MASK = "words", "mask"
"""Names of the tensors: (1, TOKENS, width) of T5, and (1, TOKENS), 1 for a token of the text, 0 for padding."""

TOKENS = 256
"""The model's room for a prompt, as Lightricks' own inference has it; an end-of-text token is one of them."""


def encode(folder: Path, prompt: str, placement: Placement) -> Words:
    """Encode a prompt, on the calling thread.

    Args:
        folder: The model's.
        prompt: Any text; what has no room is cut off.
        placement: Where and how to compute. With offload the encoder comes to the device block by block.

    Raises:
        ModelError: A file is missing or damaged.
    """
    tokenizer = _tokenizer(folder)
    ids, mask, cut = tokenize(tokenizer, prompt)
    encoder = _encoder(folder, placement)
    with torch.no_grad():
        found = encoder(ids.to(placement.device))[0]
    return Words({WORDS: found.to("cpu"), MASK: mask}, cut)


def tokenize(tokenizer: Any, prompt: str) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Return token ids and mask, (1, TOKENS) both, and the text for which there is no room."""
    found = tokenizer(
        prompt,
        padding="max_length",
        max_length=TOKENS,
        truncation=True,
        add_special_tokens=True,
        return_tensors="pt",
    )
    whole = tokenizer(prompt, add_special_tokens=True).input_ids
    cut = tokenizer.decode(whole[TOKENS - 1 : -1], skip_special_tokens=True) if len(whole) > TOKENS else ""
    return found.input_ids, found.attention_mask, cut.strip()


def _tokenizer(folder: Path) -> Any:
    import transformers

    try:
        return transformers.AutoTokenizer.from_pretrained(folder / TOKENIZER, local_files_only=True)
    except Exception as e:  # the library raises OSError, ValueError, ImportError and its parsers' own errors here
        raise _damaged(folder / TOKENIZER, e) from e


def _encoder(folder: Path, placement: Placement) -> Any:
    import transformers

    from .model import quiet

    quiet()
    try:
        encoder: Any = transformers.T5EncoderModel.from_pretrained(
            folder / TEXT_ENCODER, dtype=placement.dtype, use_safetensors=True, local_files_only=True
        )
    except Exception as e:
        if is_oom(e):
            raise
        raise _damaged(folder / TEXT_ENCODER, e) from e
    encoder.requires_grad_(False).eval()
    if placement.offload is Offload.NONE:
        return encoder.to(placement.device)
    # Without streams: for one pass the copies cost less than pages that are locked for them.
    hook(encoder.encoder, placement.device, Offload.GROUP, streams=False)
    return encoder


def _damaged(folder: Path, error: Exception) -> ModelError:
    return ModelError(
        msg("{folder} could not be loaded: {error}; get these files of the model again", folder=folder, error=error)
    )
