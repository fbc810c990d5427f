"""Expand the quantised weights of a GGUF file.

How blocks of each type are expanded is diffusers' (`quantizers.gguf.utils`), but in 32-bit numbers, so that the values
are those that the format defines; its `GGUFLinear` expands in 16-bit ones, and whole layers at once.
"""

from collections.abc import Callable
from typing import Any

import torch

from .packed import PackedLinear


class GgufLinear(PackedLinear):
    """A linear layer whose weights are blocks of quantised numbers.

    Args:
        weight: (outputs, bytes of a row), uint8.
        kind: Their type, of `gguf.GGMLQuantizationType`.
        bias: See `PackedLinear`.
    """

    def __init__(self, weight: torch.Tensor, kind: Any, bias: torch.Tensor | None) -> None:
        super().__init__(weight, bias)
        self._expand, self.inputs = _expander(kind, weight.shape[-1])

    def rows(self, first: int, last: int) -> torch.Tensor:
        """See `PackedLinear`."""
        return self._expand(self.weight[first:last])


def values(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of a file as numbers, whatever its type. tensor: as `load_gguf_checkpoint` gives it."""
    kind = getattr(tensor, "quant_type", None)
    if kind is None:
        return tensor
    blocks: torch.Tensor = tensor.as_tensor()  # pyright: ignore[reportAttributeAccessIssue] - a GGUFParameter
    expand, inputs = _expander(kind, blocks.shape[-1])
    return expand(blocks.reshape(-1, blocks.shape[-1])).reshape(*blocks.shape[:-1], inputs)


def _expander(kind: Any, row: int) -> tuple[Callable[[torch.Tensor], torch.Tensor], int]:
    """Return what expands rows of so many bytes, and the numbers of a row."""
    from diffusers.quantizers.gguf.utils import GGML_QUANT_SIZES, dequantize_functions

    numbers, size = GGML_QUANT_SIZES[kind]
    blocks_to_numbers = dequantize_functions[kind]

    def expand(weight: torch.Tensor) -> torch.Tensor:
        blocks = weight.reshape(-1, size)
        return blocks_to_numbers(blocks, numbers, size, torch.float32).reshape(weight.shape[0], -1)

    return expand, row // size * numbers
