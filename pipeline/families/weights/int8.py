"""Keep the linear layers of a transformer's blocks in 8-bit numbers: half the memory of 16-bit ones.

Weights alone, symmetric, with one scale for each row ("LLM.int8()", Dettmers et al. 2022, arXiv 2208.07339, section 2;
torchao's `Int8WeightOnlyConfig` does the same). The layers compute in the numbers of their input. With weights as
models have them a layer's output is off by 0.8 %, where 8-bit floats (`float8_e4m3fn`) are off by 2.6 to 3.3 %
(docs/decisions.md).
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

LARGEST = 127


class Int8Linear(nn.Module):
    """A linear layer whose weights are 8-bit integers.

    Args:
        linear: The layer that it replaces. Its bias is kept as it is.
        device: Where the weights are rounded: a graphics card is quicker. They come back to where they were.
    """

    def __init__(self, linear: nn.Linear, device: torch.device) -> None:
        super().__init__()
        weight = linear.weight.detach().to(device, torch.float32)
        scale = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / LARGEST
        rounded = (weight / scale).round_().to(torch.int8)
        self.weight = nn.Parameter(rounded.to(linear.weight.device), requires_grad=False)
        self.scale = nn.Parameter(scale.to(linear.weight.device), requires_grad=False)
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute as `nn.Linear`. x: (…, inputs)."""
        return functional.linear(x, self.weight.to(x.dtype).mul_(self.scale), self.bias)


def to_int8(transformer: Any, device: torch.device) -> None:
    """Replace the linear layers of a transformer's repeated blocks, one after the other.

    What is no block stays exact: it is little, and the picture depends on it most.

    Args:
        transformer: A model of diffusers, which names the classes of its blocks (`_repeated_blocks`).
        device: See `Int8Linear`.
    """
    for block in [one for one in transformer.modules() if type(one).__name__ in transformer._repeated_blocks]:
        for module in list(block.modules()):
            for name, layer in list(module.named_children()):
                if type(layer) is nn.Linear:
                    setattr(module, name, Int8Linear(layer, device))
