"""Compute a transformer's blocks some tokens at a time (`MemoryPlan.chunked`).

All but the attention between tokens treats each token by itself. In pieces, only queries, keys, values and the
attention's result are held for all tokens at once; norms, modulation in 32-bit numbers, the rotation of positions, the
attention to the words and the feed-forward layer are not. Each row of a product is the sum that it was.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch

from ..plan import PIECE

Compute = Callable[..., torch.Tensor]
"""Computes a block, its first argument, in pieces; the others are those of its `forward`."""


class InPieces:
    """Stands for a block's `forward`, and computes as the block does or in pieces.

    Attributes:
        on: In pieces.
    """

    def __init__(self, block: Any, compute: Compute) -> None:
        self.on = False
        self._block, self._compute = block, compute

    def __call__(self, *given: Any, **named: Any) -> torch.Tensor:
        """Compute the block."""
        how = self._compute if self.on else type(self._block).forward
        return how(self._block, *given, **named)


def allow_pieces(transformer: Any, compute: Compute) -> None:
    """Prepare the blocks for pieces. Called before hooks are put on, which keep the `forward` that they find."""
    for block in _blocks(transformer):
        _found(block, compute)


def set_pieces(transformer: Any, compute: Compute, on: bool) -> None:
    """Set whether the blocks compute in pieces, or as they do by themselves.

    Args:
        transformer: A model of diffusers.
        compute: Of its kind of blocks.
        on: In pieces.
    """
    for block in _blocks(transformer):
        if on or "in_pieces" in block.__dict__:
            found = _found(block, compute)
            found.on = on
            if not on and block.__dict__.get("forward") is found:  # without hooks: as it was, for the compiler
                del block.__dict__["forward"], block.__dict__["in_pieces"]


def pieces(tokens: int, width: int) -> list[slice]:
    """Return as few equal pieces of the tokens as hold at most `PIECE` numbers each."""
    count = max(1, min(tokens, -(-tokens * width // PIECE)))
    edges = [tokens * number // count for number in range(count + 1)]
    return [slice(first, end) for first, end in pairwise(edges)]


def _blocks(transformer: Any) -> Iterator[Any]:
    return (one for one in transformer.modules() if type(one).__name__ in transformer._repeated_blocks)


def _found(block: Any, compute: Compute) -> InPieces:
    if "in_pieces" not in block.__dict__:
        block.__dict__["in_pieces"] = block.__dict__["forward"] = InPieces(block, compute)
    return block.__dict__["in_pieces"]
