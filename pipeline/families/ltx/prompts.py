"""Encode prompts with T5. The encoder is released before the transformer is loaded."""

from pathlib import Path
from typing import Any

import torch

from ..flow.folder import TEXT_ENCODER, TOKENIZER
from ..flow.text import text_encoder
from ..flow.text.tokenizers import read_tokenizer, tokenize
from ..placement import Placement
from ..prompts import PromptEmbeds

PROMPT_EMBEDS, MASK = "words", "mask"
"""Names of the embeddings, (1, TOKENS, width), and of their mask, (1, TOKENS): 1 = text, 0 = padding."""
NEGATIVE, NEGATIVE_MASK = "away", "away_mask"
"""The same for the negative prompt, if there is one. Cached prompts and checkpoints contain all of these names."""

TOKENS = 256
"""Longest prompt in tokens, including the end-of-text token, as in Lightricks' own inference."""


def encode(folder: Path, prompt: str, placement: Placement, negative_prompt: str | None = None) -> PromptEmbeds:
    """Encode the prompts in the calling thread.

    Args:
        folder: The model's folder.
        prompt: Any text; truncated to TOKENS.
        placement: Device and dtype. With offload the encoder is moved to the device block by block.
        negative_prompt: Likewise; None = the model is sampled without guidance.

    Raises:
        ModelError: A file is missing or damaged.
    """
    tokenizer = read_tokenizer(folder / TOKENIZER)
    ids, mask, cut = tokenize(tokenizer, prompt, TOKENS)
    encoder = text_encoder.read_encoder("T5EncoderModel", folder / TEXT_ENCODER, placement)
    found = {PROMPT_EMBEDS: _encoded(encoder, ids, placement), MASK: mask}
    if negative_prompt is not None:
        ids, mask, _ = tokenize(tokenizer, negative_prompt, TOKENS)
        found |= {NEGATIVE: _encoded(encoder, ids, placement), NEGATIVE_MASK: mask}
    return PromptEmbeds(found, cut)


@torch.no_grad()
def _encoded(encoder: Any, ids: torch.Tensor, placement: Placement) -> torch.Tensor:
    return encoder(ids.to(placement.device))[0].to("cpu")
