"""Encode a prompt with T5: the encoder is loaded for it, and is gone before the transformer comes."""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from ..base import Offload
from ..placement import Placement
from ..plan import LARGE
from ..weights.offload import hook
from ..weights.reading import damaged, pretrained, quiet, read_component
from ..words import Words
from .folder import SPIECE, TEXT_ENCODER, TOKENIZER
from .model_size import parameters

WORDS, MASK = "words", "mask"
"""Names of the tensors: (1, TOKENS, width) of T5, and (1, TOKENS), 1 for a token of the text, 0 for padding."""

PADDING = 0

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


class Tokenizer(Protocol):
    """What a tokenizer must do here. Ids end with T5's end of text; 0 is its padding."""

    def encode(self, text: str) -> list[int]:
        """Return all ids of a text, the end of text last."""
        ...

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids."""
        ...


def tokenize(tokenizer: Tokenizer, prompt: str) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Return token ids and mask, (1, TOKENS) both, and the text for which there is no room."""
    whole = tokenizer.encode(prompt)
    end, text = whole[-1], whole[:-1]
    kept = [*text[: TOKENS - 1], end]
    ids = torch.tensor([kept + [PADDING] * (TOKENS - len(kept))])
    mask = torch.tensor([[1] * len(kept) + [0] * (TOKENS - len(kept))])
    cut = text[TOKENS - 1 :]
    return ids, mask, tokenizer.decode(cut).strip() if cut else ""


class _Fast:
    """tokenizer.json, read by transformers."""

    def __init__(self, folder: Path) -> None:
        import transformers

        self._own: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def encode(self, text: str) -> list[int]:
        return self._own(text, add_special_tokens=True).input_ids

    def decode(self, ids: list[int]) -> str:
        return self._own.decode(ids, skip_special_tokens=True)


class _SentencePiece:
    """spiece.model, which is all that Lightricks publishes. transformers would need protobuf to read it."""

    def __init__(self, folder: Path) -> None:
        import sentencepiece

        self._own: Any = sentencepiece.SentencePieceProcessor()
        self._own.load_from_serialized_proto((folder / SPIECE).read_bytes())  # whatever letters the path has

    def encode(self, text: str) -> list[int]:
        return [*self._own.encode(text), self._own.eos_id()]

    def decode(self, ids: list[int]) -> str:
        return self._own.decode(ids)


def _tokenizer(folder: Path) -> Tokenizer:
    place = folder / TOKENIZER
    try:
        return _Fast(place) if (place / "tokenizer.json").is_file() else _SentencePiece(place)
    except Exception as e:  # the libraries raise OSError, ValueError, RuntimeError and their parsers' own errors here
        raise damaged(place, e) from e


def _encoder(folder: Path, placement: Placement) -> Any:
    import transformers

    quiet()
    narrow = placement.dtype == torch.float32 and parameters(folder / TEXT_ENCODER) >= LARGE
    dtype = torch.bfloat16 if narrow else placement.dtype
    place = folder / TEXT_ENCODER
    encoder = read_component(place, lambda: pretrained(transformers.T5EncoderModel, place, dtype=dtype))
    if narrow:
        compute_wide(encoder)
    if placement.offload is Offload.NONE:
        return encoder.to(placement.device)
    # Without streams: for one pass the copies cost less than pages that are locked for them.
    hook(encoder.encoder, placement.device, Offload.GROUP, streams=False)
    return encoder


def compute_wide(encoder: nn.Module) -> None:
    """Let an encoder in 16-bit numbers compute in 32-bit ones, layer by layer: T5-XXL takes 9.5 GB of RAM, not 19."""
    widened: dict[nn.Parameter, nn.Parameter] = {}  # the table of words has two names
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            module.forward = partial(_wide_linear, module)  # pyright: ignore[reportAttributeAccessIssue]
            continue
        for name, tensor in list(module.named_parameters(recurse=False)):
            if tensor not in widened:
                widened[tensor] = nn.Parameter(tensor.float(), requires_grad=False)
            setattr(module, name, widened[tensor])


def _wide_linear(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    bias = None if layer.bias is None else layer.bias.float()
    return nn.functional.linear(x.float(), layer.weight.float(), bias)
