"""Write safetensors files of tiny transformers, as ComfyUI's users have them: the makers' names, 8-bit floats."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from fanslymotion.tests.tiny_gguf import makers_name
from safetensors.torch import save_file

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2

Choose = Callable[[str, torch.Tensor], torch.dtype]
Layout = Callable[[str, torch.Tensor, torch.dtype], tuple[dict[str, torch.Tensor], torch.Tensor]]
"""Given a layer's name in the file and its weights, returns the tensors to write and the values that they mean."""


def all_as(dtype: torch.dtype) -> Choose:
    return lambda name, tensor: dtype


def blocks_as(dtype: torch.dtype, others: torch.dtype = torch.bfloat16) -> Choose:
    """8-bit floats for the matrices of the blocks' layers, and other numbers for all else."""

    def choose(name: str, tensor: torch.Tensor) -> torch.dtype:
        return dtype if tensor.ndim == 2 and "blocks." in name and "table" not in name else others

    return choose


def unscaled(layer: str, weight: torch.Tensor, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    return {f"{layer}.weight": weight.to(dtype)}, weight.to(dtype).float()


def scale_weight(layer: str, weight: torch.Tensor, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    packed, scale = _scaled(weight, dtype, weight.abs().amax())
    beside = {f"{layer}.scale_weight": scale, f"{layer}.scale_input": torch.ones(())}
    return {f"{layer}.weight": packed, **beside}, packed.float() * scale


def rows(layer: str, weight: torch.Tensor, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    packed, scale = _scaled(weight, dtype, weight.abs().amax(dim=1, keepdim=True))
    return {f"{layer}.weight": packed, f"{layer}.scale_weight": scale}, packed.float() * scale


def weight_scale(layer: str, weight: torch.Tensor, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    packed, scale = _scaled(weight, dtype, weight.abs().amax())
    beside = {f"{layer}.weight_scale": scale, f"{layer}.input_scale": torch.ones(())}
    return {f"{layer}.weight": packed, **beside}, packed.float() * scale


def comfy_quant(layer: str, weight: torch.Tensor, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Say for each layer what it is; its bytes are called bytes."""
    tensors, meant = weight_scale(layer, weight, dtype)
    said = json.dumps({"format": {E4M3: "float8_e4m3fn", E5M2: "float8_e5m2"}[dtype]}).encode()
    tensors[f"{layer}.comfy_quant"] = torch.tensor(list(said), dtype=torch.uint8)
    tensors[f"{layer}.weight"] = tensors[f"{layer}.weight"].view(torch.uint8)
    return tensors, meant


LAYOUTS = {one.__name__: one for one in (unscaled, scale_weight, rows, weight_scale, comfy_quant)}


def write(
    path: Path,
    tensors: Mapping[str, torch.Tensor],
    family: str,
    choose: Choose,
    layout: Layout = unscaled,
    *,
    prefix: str = "",
    own_names: bool = True,
    beside: Mapping[str, torch.Tensor] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, torch.Tensor]:
    """Write a file.

    Args:
        path: The file.
        tensors: The transformer's, by diffusers' names.
        family: Ours.
        choose: Returns the type of a tensor.
        layout: Of layers of 8-bit floats.
        prefix: Before the transformer's names.
        own_names: The makers', not diffusers'.
        beside: Other components' tensors.
        metadata: The file's.

    Returns:
        The tensors' values, float32, by diffusers' names.
    """
    found, meant = dict(beside or {}), {}
    for name, tensor in tensors.items():
        own = prefix + (makers_name(name, family) if own_names else name)
        dtype = choose(name, tensor)
        if dtype in (E4M3, E5M2) and tensor.ndim == 2 and name.endswith(".weight"):
            packed, meant[name] = layout(own.removesuffix(".weight"), tensor.float(), dtype)
            found |= packed
        else:
            found[own] = tensor.to(dtype)
            meant[name] = found[own].float()
    if layout in (scale_weight, rows):
        found[f"{prefix}scaled_fp8"] = torch.zeros(2, dtype=E4M3)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, path, dict(metadata or {}))
    return meant


def _scaled(weight: torch.Tensor, dtype: torch.dtype, most: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    scale = most / torch.finfo(dtype).max
    return (weight / scale).to(dtype), scale
