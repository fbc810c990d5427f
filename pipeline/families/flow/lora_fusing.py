"""Add a LoRA to a transformer's weights as it is loaded: nothing of it is left to compute, or to keep, at a step."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from .lora import Layer, LoraLayers, damaged


@torch.no_grad()
def fuse(transformer: nn.Module, path: Path, found: LoraLayers, strength: float) -> None:
    """Add a file's changes to the weights, on the calling thread and where they are.

    Computed in 32-bit numbers, whatever the weights are kept in, and always in the same order: the same file gives the
    same weights.

    Args:
        transformer: It has the layers, in these shapes (`lora.check_fits`).
        path: The file.
        found: What it holds.
        strength: 1 is as it was trained, 0 changes nothing.

    Raises:
        ModelError: The file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            for name in sorted(found.layers):
                _fuse_layer(transformer.get_submodule(name), file, found.layers[name], found.alpha, strength)
    except (OSError, SafetensorError) as e:
        raise damaged(path, e) from e


def _fuse_layer(module: nn.Module, file: safe_open, layer: Layer, usual: float | None, strength: float) -> None:
    def read(name: str) -> torch.Tensor:
        return file.get_tensor(name).float()

    weight, bias = module.weight, getattr(module, "bias", None)  # a norm may know none
    assert isinstance(weight, nn.Parameter)
    changed = weight.float()
    if layer.down:
        down, up = read(layer.down), read(layer.up)
        rank = down.shape[0]
        alpha = float(read(layer.alpha)) if layer.alpha else rank if usual is None else usual
        changed = torch.addmm(changed, up * (strength * alpha / rank), down)
    if layer.whole:
        changed = changed.add(read(layer.whole), alpha=strength)
    _store(weight, changed)
    if layer.bias:
        assert isinstance(bias, nn.Parameter)
        _store(bias, bias.float().add(read(layer.bias), alpha=strength))


def _store(parameter: nn.Parameter, changed: torch.Tensor) -> None:
    parameter.copy_(changed)
    if not parameter.sum(dtype=torch.float32).isfinite():  # a tenth of the time of looking at each number
        raise SafetensorError("it holds NaN or infinity, or numbers that are too large")
