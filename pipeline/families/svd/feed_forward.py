"""Compute the UNet's feed-forward layers a piece of the tokens at a time, for less memory (forward chunking).

A feed-forward layer holds sixteen times its input at its highest point, more than all else in a transformer block. It
treats each token by itself, so that pieces give what the whole gives. diffusers' own `set_chunk_feed_forward` cuts
along the frames: temporal layers keep the frames inside, so its pieces are not contiguous, and one step took 1.9 times
as long with pieces of 5 frames, 5.2 times with pieces of 1 frame (bench/RESULTS.md, H100).
"""

from functools import partial
from typing import Any

import torch
from diffusers.models.attention import FeedForward
from torch import nn


def set_pieces(network: nn.Module, numbers: int | None) -> None:
    """Limit the numbers (tokens × width) that every feed-forward layer takes at once; None = all of its input."""
    for module in network.modules():
        if isinstance(module, FeedForward):
            if numbers is None:
                module.__dict__.pop("forward", None)
            else:
                module.forward = partial(_in_pieces, module, numbers)


def _in_pieces(layer: Any, numbers: int, hidden_states: torch.Tensor) -> torch.Tensor:
    """Compute (…, width) to (…, width out), in as few equal pieces of tokens as the limit allows."""
    tokens = hidden_states.flatten(0, -2)
    count = min(len(tokens), -(-tokens.numel() // numbers))
    if count <= 1:
        return FeedForward.forward(layer, hidden_states)
    result = tokens.new_empty(len(tokens), layer.net[-1].out_features)
    for piece, place in zip(tokens.tensor_split(count), result.tensor_split(count), strict=True):
        place.copy_(FeedForward.forward(layer, piece))
    return result.unflatten(0, hidden_states.shape[:-1])
