"""Encode the prompts with UMT5: the encoder is loaded for them, and is gone before the transformer comes."""

import html
import re
from pathlib import Path
from typing import Any

import torch

from ..flow.folder import TEXT_ENCODER, TOKENIZER
from ..flow.text import text_encoder
from ..flow.text.tokenizers import Tokenizer, read_tokenizer, tokenize
from ..placement import Placement
from ..words import Words

WORDS, NEGATIVE = "words", "away"
"""Names of the tensors, of the prompt and of the negative one: (1, tokens of the text, width) of UMT5.

Stored prompts and checkpoints have these names."""

TOKENS = 512
"""The model's room for a prompt, an end-of-text token among them; the transformer gets zeros behind the text."""


def encode(folder: Path, prompt: str, negative_prompt: str, placement: Placement) -> Words:
    """Encode the prompts, on the calling thread.

    Args:
        folder: The model's.
        prompt: Any text; what has no room is cut off.
        negative_prompt: The same.
        placement: Where and how to compute. With offload the encoder comes to the device block by block.

    Raises:
        ModelError: A file is missing or damaged.
    """
    tokenizer = read_tokenizer(folder / TOKENIZER)
    encoder = text_encoder.read_encoder("UMT5EncoderModel", folder / TEXT_ENCODER, placement)
    found, cut = _encoded(encoder, tokenizer, prompt, placement.device)
    negative, _ = _encoded(encoder, tokenizer, negative_prompt, placement.device)
    return Words({WORDS: found, NEGATIVE: negative}, cut)


@torch.no_grad()
def _encoded(encoder: Any, tokenizer: Tokenizer, prompt: str, device: torch.device) -> tuple[torch.Tensor, str]:
    ids, mask, cut = tokenize(tokenizer, cleaned(prompt), TOKENS)
    found = encoder(ids.to(device), mask.to(device)).last_hidden_state
    return found[:, : int(mask.sum())].to("cpu").contiguous(), cut


def cleaned(prompt: str) -> str:
    """Return a prompt as the model has read prompts in training: broken letters mended, plain quotes, single spaces."""
    import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(prompt)))
    return re.sub(r"\s+", " ", text).strip()


def padded(words: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return encoded words (1, n, width) with the zeros that the transformer is used to, (1, TOKENS, width)."""
    return torch.nn.functional.pad(words.to(dtype), (0, 0, 0, TOKENS - words.shape[1]))
