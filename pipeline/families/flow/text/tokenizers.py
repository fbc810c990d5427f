"""Read a prompt as token ids, with the T5 family's tokenizers."""

from pathlib import Path
from typing import Any, Protocol

import torch

from ...weights.light_import import transformers_class
from ...weights.reading import damaged
from ..folder import SPIECE

PADDING = 0


class Tokenizer(Protocol):
    """What a tokenizer must do here. Ids end with T5's end of text; 0 is its padding."""

    def encode(self, text: str) -> list[int]:
        """Return all ids of a text, the end of text last."""
        ...

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids."""
        ...


def tokenize(tokenizer: Tokenizer, prompt: str, room: int) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Return token ids and mask (1 for a token of the text), (1, room) both, and the text for which there is no room.

    Args:
        tokenizer: Of the model.
        prompt: Any text.
        room: Tokens that the model reads; the end of the text is one of them.
    """
    whole = tokenizer.encode(prompt)
    end, text = whole[-1], whole[:-1]
    kept = [*text[: room - 1], end]
    ids = torch.tensor([kept + [PADDING] * (room - len(kept))])
    mask = torch.tensor([[1] * len(kept) + [0] * (room - len(kept))])
    cut = text[room - 1 :]
    return ids, mask, tokenizer.decode(cut).strip() if cut else ""


class _Fast:
    """tokenizer.json, read by transformers."""

    def __init__(self, folder: Path) -> None:
        self._own: Any = transformers_class("AutoTokenizer").from_pretrained(folder, local_files_only=True)

    def encode(self, text: str) -> list[int]:
        return self._own(text, add_special_tokens=True).input_ids

    def decode(self, ids: list[int]) -> str:
        return self._own.decode(ids, skip_special_tokens=True)


class _SentencePiece:
    """spiece.model, which is all that some makers publish. transformers would need protobuf to read it."""

    def __init__(self, folder: Path) -> None:
        import sentencepiece

        self._own: Any = sentencepiece.SentencePieceProcessor()
        self._own.load_from_serialized_proto((folder / SPIECE).read_bytes())  # whatever letters the path has

    def encode(self, text: str) -> list[int]:
        return [*self._own.encode(text), self._own.eos_id()]

    def decode(self, ids: list[int]) -> str:
        return self._own.decode(ids)


def read_tokenizer(place: Path) -> Tokenizer:
    """Read a tokenizer's folder.

    Raises:
        ModelError: Its files are damaged.
    """
    try:
        return _Fast(place) if (place / "tokenizer.json").is_file() else _SentencePiece(place)
    except Exception as e:  # the libraries raise OSError, ValueError, RuntimeError and their parsers' own errors here
        raise damaged(place, e) from e
