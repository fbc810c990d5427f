"""Read a text encoder of the T5 family: it comes before the model, alone, and is gone before the rest is read."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...base import Offload
from ...placement import Placement
from ...plan import LARGE
from ...weights.folders import parameters
from ...weights.light_import import transformers_class
from ...weights.offload import hook
from ...weights.reading import pretrained, quiet, read_component


def read_encoder(kind: str, place: Path, placement: Placement) -> Any:
    """Read a text encoder, on the calling thread.

    Args:
        kind: Its class of transformers.
        place: Its folder.
        placement: Where and how to compute. With offload it comes to the device block by block.

    Raises:
        ModelError: A file is missing or damaged.
    """
    found = transformers_class(kind)
    quiet()
    narrow = placement.dtype == torch.float32 and parameters(place) >= LARGE
    dtype = torch.bfloat16 if narrow else placement.dtype
    encoder = read_component(place, lambda: pretrained(found, place, dtype=dtype))
    if narrow:
        compute_wide(encoder)
    if placement.offload is Offload.NONE:
        return encoder.to(placement.device)
    # Without streams: for one pass the copies cost less than pages that are locked for them.
    hook(encoder.encoder, placement.device, Offload.GROUP, streams=False)
    return encoder


def compute_wide(encoder: nn.Module) -> None:
    """Let an encoder in 16-bit numbers compute in 32-bit ones, layer by layer: T5-XXL takes 9.5 GB of RAM, not 19."""
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            module.forward = partial(_wide_linear, module)  # pyright: ignore[reportAttributeAccessIssue]
        elif isinstance(module, nn.Embedding):  # UMT5's embedding table has a billion numbers
            module.forward = partial(_wide_embedding, module)  # pyright: ignore[reportAttributeAccessIssue]
        else:
            for name, tensor in list(module.named_parameters(recurse=False)):
                setattr(module, name, nn.Parameter(tensor.float(), requires_grad=False))


def _wide_linear(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
    bias = None if layer.bias is None else layer.bias.float()
    return nn.functional.linear(x.float(), layer.weight.float(), bias)


def _wide_embedding(layer: nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
    return nn.functional.embedding(ids, layer.weight).float()
