"""Encode the prompts with T5: the encoder is loaded for them, and is gone before the transformer comes."""

from pathlib import Path
from typing import Any

import torch

from ..flow.folder import TEXT_ENCODER, TOKENIZER
from ..flow.text import text_encoder
from ..flow.text.tokenizers import read_tokenizer, tokenize
from ..placement import Placement
from ..words import Words

WORDS, MASK = "words", "mask"
"""Names of the tensors: (1, TOKENS, width) of T5, and (1, TOKENS), 1 for a token of the text, 0 for padding."""
NEGATIVE, NEGATIVE_MASK = "away", "away_mask"
"""The same of the negative prompt, where there is one. Stored prompts and checkpoints have these names."""

TOKENS = 256
"""The model's room for a prompt, as Lightricks' own inference has it; an end-of-text token is one of them."""


def encode(folder: Path, prompt: str, placement: Placement, negative_prompt: str | None = None) -> Words:
    """Encode the prompts, on the calling thread.

    Args:
        folder: The model's.
        prompt: Any text; what has no room is cut off.
        placement: Where and how to compute. With offload the encoder comes to the device block by block.
        negative_prompt: The same; None = there is no guidance.

    Raises:
        ModelError: A file is missing or damaged.
    """
    tokenizer = read_tokenizer(folder / TOKENIZER)
    ids, mask, cut = tokenize(tokenizer, prompt, TOKENS)
    encoder = text_encoder.read_encoder("T5EncoderModel", folder / TEXT_ENCODER, placement)
    found = {WORDS: _encoded(encoder, ids, placement), MASK: mask}
    if negative_prompt is not None:
        ids, mask, _ = tokenize(tokenizer, negative_prompt, TOKENS)
        found |= {NEGATIVE: _encoded(encoder, ids, placement), NEGATIVE_MASK: mask}
    return Words(found, cut)


@torch.no_grad()
def _encoded(encoder: Any, ids: torch.Tensor, placement: Placement) -> torch.Tensor:
    return encoder(ids.to(placement.device))[0].to("cpu")
