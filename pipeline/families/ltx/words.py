"""Encode a prompt with T5: the encoder is loaded for it, and is gone before the transformer comes."""

from pathlib import Path

import torch

from ..flow.folder import TEXT_ENCODER, TOKENIZER
from ..flow.text import text_encoder
from ..flow.text.tokenizers import read_tokenizer, tokenize
from ..placement import Placement
from ..words import Words

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
    ids, mask, cut = tokenize(read_tokenizer(folder / TOKENIZER), prompt, TOKENS)
    encoder = text_encoder.read_encoder("T5EncoderModel", folder / TEXT_ENCODER, placement)
    with torch.no_grad():
        found = encoder(ids.to(placement.device))[0]
    return Words({WORDS: found.to("cpu"), MASK: mask}, cut)
