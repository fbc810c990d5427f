"""Muon, for weights of any number of dimensions: torch's own takes matrices only, and most weights here are kernels.

K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the scale of its steps after
J. Liu et al., "Muon is scalable for LLM training" (arXiv 2502.16982), eq. 4.
"""

from __future__ import annotations

import torch
from torch import nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of the quintic iteration in Jordan's article


class Muon(torch.optim.Optimizer):
    """Momentum whose every step is made orthogonal: all directions of a layer learn, not only the strongest ones."""

    def __init__(self, parameters: list[nn.Parameter], lr: float = 3e-3, momentum: float = 0.95, decay: float = 0.01):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Change the parameters by their gradients. closure: of torch's signature, unused."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                mean = self.state[parameter].setdefault("mean", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(mean, group["momentum"]).flatten(1)
                update = orthogonal(update) * 0.2 * max(update.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update.view_as(parameter), alpha=-group["lr"])


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest (half-)orthogonal matrix, roughly: singular values all come to lie between about 0.7 and 1.2."""
    a, b, c = NEWTON_SCHULZ
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def split(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(weights for Muon, the rest for Adam): first and last layers, embeddings, norms and biases are Adam's."""
    hidden, rest = [], []
    apart = ("conv_in", "conv_out", "embedding", "image_encoder", "time_pos")
    for name, parameter in model.named_parameters():
        (rest if parameter.ndim < 2 or any(word in name for word in apart) else hidden).append(parameter)
    return hidden, rest
