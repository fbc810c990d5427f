"""Expand weights of 8-bit floats, with or without a scale."""

from functools import lru_cache

import torch
from torch import nn

from .packed import PackedLinear
from .rotation import factors, hadamard, multiplied


class Fp8Linear(PackedLinear):
    """A linear layer whose weights are 8-bit floats.

    They are kept as bytes, which everything that moves tensors knows.

    Args:
        weight: (outputs, inputs), float8.
        scale: float32, (1, 1) for all or (outputs, 1) for each row; None = 1.
        bias: See `PackedLinear`.
        rotated: The weights are multiplied by the Hadamard matrix of their inputs (`rotation`).
    """

    def __init__(
        self, weight: torch.Tensor, scale: torch.Tensor | None, bias: torch.Tensor | None, rotated: bool = False
    ) -> None:
        super().__init__(weight.view(torch.uint8), bias)
        self._factors = factors(weight.shape[1]) if rotated else None
        self._kind = weight.dtype
        self.scale = None if scale is None else nn.Parameter(scale, requires_grad=False)
        self.inputs = weight.shape[1]

    def rows(self, first: int, last: int) -> torch.Tensor:
        """See `PackedLinear`."""
        found = self.weight[first:last].view(self._kind).float()
        if self._factors is not None:
            found = multiplied(found, *(_hadamard_on(found.device, size) for size in self._factors))
        if self.scale is None:
            return found
        return found.mul_(self.scale if len(self.scale) == 1 else self.scale[first:last])


@lru_cache(maxsize=16)
def _hadamard_on(device: torch.device, size: int) -> torch.Tensor:
    """Return the Hadamard matrix of a size on a device. All layers share it there: it has a few thousand numbers."""
    return torch.from_numpy(hadamard(size)).to(device)
