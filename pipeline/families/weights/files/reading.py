"""Read a transformer from a file of weights. Its names of layers become diffusers' with diffusers' own conversions."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..reading import Read
from .tensors import Tensors, open_tensors


def transformer_of_file(
    kind: Any, file: Path, config: Mapping[str, Any], dtype: torch.dtype, rotated: bool = False
) -> Read:
    """Read a transformer. The linear layers of its blocks stay as they are in the file, if they are packed there.

    What is no block becomes numbers to compute in: it is little, and few files have it packed.

    Args:
        kind: Its class of diffusers.
        file: The file, whose tensors have its shapes (`flow.weights_files`).
        config: Of the transformer.
        dtype: The numbers to compute in.
        rotated: See `tensors.open_tensors`.

    Returns:
        See `Read`.
    """
    from accelerate import init_empty_weights

    with init_empty_weights():
        transformer = kind.from_config(dict(config))
    with open_tensors(file, rotated) as tensors:
        names = _own_names(kind, config, tensors.stored, set(transformer.state_dict()))
        missing = _pack(transformer, tensors, names, dtype)
        shapes = {name: parameter.shape for name, parameter in transformer.named_parameters() if parameter.is_meta}
        missing += [name for name in shapes if name not in names]
        numbers = {
            name: tensors.numbers(names[name]).reshape(shape).to(_numbers(kind, name, dtype))
            for name, shape in shapes.items()
            if name in names
        }
    if not missing:
        transformer.load_state_dict({**transformer.state_dict(), **numbers}, assign=True)
    return transformer, sorted(missing)


def _own_names(kind: Any, config: Mapping[str, Any], stored: Iterable[str], wanted: set[str]) -> dict[str, str]:
    """Return the file's names by diffusers'. The conversions rename what they are given: here the names themselves."""
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    names: dict[str, Any] = {name: name for name in stored}
    if names.keys() == wanted:
        return names
    return SINGLE_FILE_LOADABLE_CLASSES[kind.__name__]["checkpoint_mapping_fn"](config=config, checkpoint=names)


def _pack(transformer: Any, tensors: Tensors, names: Mapping[str, str], dtype: torch.dtype) -> list[str]:
    """Replace the blocks' linear layers whose weights are packed. Return the names of biases that the file lacks."""
    missing: list[str] = []
    for path, block in list(transformer.named_modules()):
        if type(block).__name__ not in transformer._repeated_blocks:
            continue
        for inside, layer in list(block.named_modules()):
            name = f"{path}.{inside}"
            weight = names.get(f"{name}.weight")
            if type(layer) is not nn.Linear or weight is None or not tensors.packed(weight):
                continue
            bias = None
            if layer.bias is not None:
                if f"{name}.bias" not in names:
                    missing.append(f"{name}.bias")
                    continue
                bias = tensors.numbers(names[f"{name}.bias"]).to(dtype)
            transformer.set_submodule(name, tensors.layer(weight, bias))
    return missing


def _numbers(kind: Any, name: str, dtype: torch.dtype) -> torch.dtype:
    """Return the type of a weight: some stay in 32-bit numbers, as when diffusers reads a folder."""
    kept = kind._keep_in_fp32_modules or ()
    return torch.float32 if any(part in name.split(".") for part in kept) else dtype
