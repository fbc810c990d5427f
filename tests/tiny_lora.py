"""Small LoRA files with random numbers, in the layouts that people publish, for the tiny video transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from fanslymotion.pipeline.families.base import Lora, LoraFile
from fanslymotion.pipeline.families.flow.lora import lora_fingerprint
from safetensors.torch import save_file

RANK, ALPHA = 4, 2.0

LTX = ("transformer_blocks.0.attn1.to_q", "transformer_blocks.1.attn2.to_out.0", "transformer_blocks.1.ff.net.0.proj")
WAN = ("blocks.0.attn1.to_q", "blocks.0.attn2.to_out.0", "blocks.1.ffn.net.0.proj", "blocks.1.ffn.net.2")
"""Layers by diffusers' names."""

OWN_WAN = {
    "blocks.0.attn1.to_q": "blocks.0.self_attn.q",
    "blocks.0.attn2.to_out.0": "blocks.0.cross_attn.o",
    "blocks.1.ffn.net.0.proj": "blocks.1.ffn.0",
    "blocks.1.ffn.net.2": "blocks.1.ffn.2",
}
"""By Wan's own."""


def matrices(transformer: Any, layers: tuple[str, ...], seed: int = 11) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return (down, up) of each layer."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for layer in layers:
        out, into = transformer.get_submodule(layer).weight.shape
        found[layer] = tuple(0.1 * torch.randn(shape, generator=generator) for shape in ((RANK, into), (out, RANK)))
    return found


def lora(*paths: Path, strength: float = 1.0) -> Lora:
    """What a model is loaded with: one file, or one for each of its transformers."""
    return Lora(paths[0].stem, tuple(LoraFile(path, lora_fingerprint(path)) for path in paths), strength)


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> Path:
    """Write a file, its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(tensors), path, metadata)
    return path


def diffusers_layout(made: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """As diffusers and peft save it; alpha is the rank, or stands in the metadata."""
    return _pairs(made, lambda layer: f"transformer.{layer}", "lora_A", "lora_B")


def own_layout(made: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """As the makers' own repositories name layers, with an alpha for each where they are Wan's."""
    found = _pairs(made, lambda layer: f"diffusion_model.{OWN_WAN.get(layer, layer)}", "lora_A", "lora_B")
    return found | {
        f"diffusion_model.{OWN_WAN[layer]}.alpha": torch.tensor(ALPHA) for layer in made if layer in OWN_WAN
    }


def musubi_layout(made: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """As musubi-tuner names Wan's layers."""

    def name(layer: str) -> str:
        return f"lora_unet_{OWN_WAN[layer].replace('.', '_')}"

    found = _pairs(made, name, "lora_down", "lora_up")
    return found | {f"{name(layer)}.alpha": torch.tensor(ALPHA) for layer in made}


def _pairs(made: Mapping[str, tuple[torch.Tensor, torch.Tensor]], name: Any, down: str, up: str) -> dict[str, Any]:
    pairs = ({f"{name(layer)}.{down}.weight": a, f"{name(layer)}.{up}.weight": b} for layer, (a, b) in made.items())
    return {key: tensor for pair in pairs for key, tensor in pair.items()}
