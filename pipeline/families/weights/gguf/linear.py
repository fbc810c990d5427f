"""Compute with the quantised weights of a GGUF file: each layer is expanded when its turn comes.

How blocks of each type are expanded is diffusers' (`quantizers.gguf.utils`), but in 32-bit numbers, so that the values
are those that the format defines; its `GGUFLinear` expands in 16-bit ones, and whole layers at once.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

TOGETHER = 2**23
"""Numbers that are expanded at once: in 32-bit numbers on the way, which would take several times the layer's size."""


class GgufLinear(nn.Module):
    """A linear layer whose weights are blocks of quantised numbers.

    Args:
        weight: (outputs, bytes of a row), uint8.
        kind: Their type, of `gguf.GGMLQuantizationType`.
        bias: (outputs,) in the numbers to compute in, or None.
    """

    def __init__(self, weight: torch.Tensor, kind: Any, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self._expand, self.inputs = _expander(kind, weight.shape[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute as `nn.Linear`. x: (…, inputs)."""
        return functional.linear(x, self.expanded(x.dtype), self.bias)

    def expanded(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the weights, (outputs, inputs)."""
        rows = max(1, TOGETHER // self.inputs)
        if rows >= len(self.weight):
            return self._expand(self.weight).to(dtype)
        found = torch.empty(len(self.weight), self.inputs, dtype=dtype, device=self.weight.device)
        for first in range(0, len(found), rows):
            found[first : first + rows] = self._expand(self.weight[first : first + rows])
        return found


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
