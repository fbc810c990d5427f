"""Encode prompts with UMT5. The encoder is released before the transformer is loaded."""

import html
import re
from pathlib import Path
from typing import Any

import torch

from ..flow.folder import TEXT_ENCODER, TOKENIZER
from ..flow.text import text_encoder
from ..flow.text.tokenizers import Tokenizer, read_tokenizer, tokenize
from ..placement import Placement
from ..prompts import PromptEmbeds

PROMPT_EMBEDS, NEGATIVE = "words", "away"
"""Names of the embeddings of prompt and negative prompt, (1, tokens of the text, width).

Cached prompts and checkpoints contain these names: never change one."""

TOKENS = 512
"""Longest prompt in tokens, including the end-of-text token. The transformer gets zeros after the text."""


def encode(folder: Path, prompt: str, negative_prompt: str, placement: Placement) -> PromptEmbeds:
    """Encode the prompts in the calling thread.

    Args:
        folder: The model's folder.
        prompt: Any text; truncated to TOKENS.
        negative_prompt: Likewise.
        placement: Device and dtype. With offload the encoder is moved to the device block by block.

    Raises:
        ModelError: A file is missing or damaged.
    """
    tokenizer = read_tokenizer(folder / TOKENIZER)
    encoder = text_encoder.read_encoder("UMT5EncoderModel", folder / TEXT_ENCODER, placement)
    found, cut = _encoded(encoder, tokenizer, prompt, placement.device)
    negative, _ = _encoded(encoder, tokenizer, negative_prompt, placement.device)
    return PromptEmbeds({PROMPT_EMBEDS: found, NEGATIVE: negative}, cut)


@torch.no_grad()
def _encoded(encoder: Any, tokenizer: Tokenizer, prompt: str, device: torch.device) -> tuple[torch.Tensor, str]:
    ids, mask, cut = tokenize(tokenizer, cleaned(prompt), TOKENS)
    found = encoder(ids.to(device), mask.to(device)).last_hidden_state
    return found[:, : int(mask.sum())].to("cpu").contiguous(), cut


def cleaned(prompt: str) -> str:
    """Clean a prompt as in the model's training: fix encoding errors, unescape HTML, collapse spaces."""
    import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(prompt)))
    return re.sub(r"\s+", " ", text).strip()


def padded(embeds: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Pad prompt embeddings (1, n, width) with zeros to (1, TOKENS, width)."""
    return torch.nn.functional.pad(embeds.to(dtype), (0, 0, 0, TOKENS - embeds.shape[1]))
