"""Compute with weights that stay as a file has them: each layer is expanded when its turn comes."""

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional

TOGETHER = 2**23
"""Numbers that are expanded at once: in 32-bit numbers on the way, which would take several times the layer's size."""


class PackedLinear(nn.Module, ABC):
    """A linear layer whose weights are not numbers to compute in.

    Args:
        weight: As they are in the file; (outputs, …).
        bias: (outputs,) in the numbers to compute in, or None.

    Attributes:
        inputs: Numbers of a row.
    """

    inputs: int

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    @abstractmethod
    def rows(self, first: int, last: int) -> torch.Tensor:
        """Return the weights' values from one row up to another, (last - first, inputs), float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute as `nn.Linear`. x: (…, inputs)."""
        return functional.linear(x, self.expanded(x.dtype), self.bias)

    def expanded(self, dtype: torch.dtype) -> torch.Tensor:
        """Return the weights, (outputs, inputs)."""
        count, rows = len(self.weight), max(1, TOGETHER // self.inputs)
        if rows >= count:
            return self.rows(0, count).to(dtype)
        found = torch.empty(count, self.inputs, dtype=dtype, device=self.weight.device)
        for first in range(0, count, rows):
            found[first : first + rows] = self.rows(first, min(first + rows, count))
        return found
