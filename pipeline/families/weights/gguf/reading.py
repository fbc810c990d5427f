"""Read a transformer from a GGUF file. Its names of layers become diffusers' with diffusers' own conversions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..reading import Read
from .header import PLAIN
from .linear import GgufLinear, values


def gguf_transformer(kind: Any, file: Path, config: Mapping[str, Any], dtype: torch.dtype) -> Read:
    """Read a transformer. The linear layers of its blocks stay as they are in the file, if they are quantised there.

    What is no block becomes numbers to compute in: it is little, and few files have it quantised.

    Args:
        kind: Its class of diffusers.
        file: The file, whose tensors have its shapes (`flow.gguf`).
        config: Of the transformer.
        dtype: The numbers to compute in.

    Returns:
        See `Read`.
    """
    from accelerate import init_empty_weights

    with init_empty_weights():
        transformer = kind.from_config(dict(config))
    tensors = _tensors(kind, file, config, set(transformer.state_dict()))
    missing = _pack(transformer, tensors, dtype)
    shapes = {name: parameter.shape for name, parameter in transformer.named_parameters() if parameter.is_meta}
    missing += [name for name in shapes if name not in tensors]
    numbers = {
        name: values(tensors.pop(name)).reshape(shape).to(_numbers(kind, name, dtype))
        for name, shape in shapes.items()
        if name in tensors
    }
    if not missing:
        transformer.load_state_dict({**transformer.state_dict(), **numbers}, assign=True)
    return transformer, sorted(missing)


def _tensors(kind: Any, file: Path, config: Mapping[str, Any], wanted: set[str]) -> dict[str, Any]:
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
    from diffusers.models.model_loading_utils import load_gguf_checkpoint

    tensors = load_gguf_checkpoint(str(file))
    if tensors.keys() == wanted:
        return tensors
    return SINGLE_FILE_LOADABLE_CLASSES[kind.__name__]["checkpoint_mapping_fn"](config=config, checkpoint=tensors)


def _pack(transformer: Any, tensors: dict[str, Any], dtype: torch.dtype) -> list[str]:
    """Replace the blocks' linear layers whose weights are quantised. Return the names of biases that the file lacks."""
    missing: list[str] = []
    for path, block in list(transformer.named_modules()):
        if type(block).__name__ not in transformer._repeated_blocks:
            continue
        for inside, layer in list(block.named_modules()):
            name = f"{path}.{inside}"
            weight = tensors.get(f"{name}.weight")
            stored = getattr(weight, "quant_type", None)
            if type(layer) is not nn.Linear or stored is None or stored.name in PLAIN:
                continue
            bias = None
            if layer.bias is not None:
                if f"{name}.bias" not in tensors:
                    missing.append(f"{name}.bias")
                    continue
                bias = values(tensors.pop(f"{name}.bias")).to(dtype)
            transformer.set_submodule(name, GgufLinear(tensors.pop(f"{name}.weight").as_tensor(), stored, bias))
    return missing


def _numbers(kind: Any, name: str, dtype: torch.dtype) -> torch.dtype:
    """Return the type of a weight: some stay in 32-bit numbers, as when diffusers reads a folder."""
    kept = kind._keep_in_fp32_modules or ()
    return torch.float32 if any(part in name.split(".") for part in kept) else dtype
