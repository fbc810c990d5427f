"""Tiny upscalers with random weights, as the published files lay them out."""

from pathlib import Path

import torch
from fanslymotion.pipeline.media.upscale.network import Network
from fanslymotion.pipeline.media.upscale.networks import build
from safetensors.torch import save_file

COMPACT = Network("compact", 8, 3, 4)
RRDB = Network("rrdb", 8, 1, 4, 4)


def write(path: Path, network: Network, gain: float = 1.0) -> Path:
    """gain: times torch's own first weights."""
    torch.manual_seed(7)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: gain * tensor for name, tensor in build(network).state_dict().items()}, path)
    return path
