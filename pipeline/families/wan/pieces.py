"""Compute a block of Wan's transformer some tokens at a time, with the results of diffusers' `WanTransformerBlock`.

diffusers is imported with the model (`light_import`), so the functions import from it when they are called.
"""

from typing import Any

import torch

from ..weights.pieces import pieces


def compute(
    block: Any, hidden: torch.Tensor, prompt: torch.Tensor, times: torch.Tensor, rotation: tuple[torch.Tensor, ...]
) -> torch.Tensor:
    """Return the block's result.

    Args:
        block: A WanTransformerBlock.
        hidden: (1, tokens, width).
        prompt: Embeddings, (1, prompt tokens, width).
        times: (1, 6, width), or (1, tokens, 6, width) where each token has a time of its own.
        rotation: Cosines and sines of the positions, (1, tokens, 1, width of a head) each.
    """
    from diffusers.models.attention_dispatch import dispatch_attention_fn

    parts = pieces(hidden.shape[1], hidden.shape[2])
    attended = _attention(block, hidden, times, rotation, parts)
    across, result = block.attn2, torch.empty_like(hidden)
    keys = _heads(across.norm_k(across.to_k(prompt)), across.heads)
    values = _heads(across.to_v(prompt), across.heads)
    for part in parts:
        _, _, gate, shift, scale, last_gate = _modulation(block, times, part)
        x = (hidden[:, part].float() + _out(block.attn1, attended[:, part]) * gate).type_as(hidden)
        y = block.norm2(x.float()).type_as(x)
        queries = _heads(across.norm_q(across.to_q(y)), across.heads)
        x = x + _out(across, dispatch_attention_fn(queries, keys, values).flatten(2, 3).type_as(queries))
        y = (block.norm3(x.float()) * (1 + scale) + shift).type_as(x)
        result[:, part] = (x.float() + block.ffn(y).float() * last_gate).type_as(x)
    return result


def _attention(
    block: Any, hidden: torch.Tensor, times: torch.Tensor, rotation: tuple[torch.Tensor, ...], parts: list[slice]
) -> torch.Tensor:
    """Compute self-attention, (1, tokens, width), before its output projection."""
    from diffusers.models.attention_dispatch import dispatch_attention_fn

    layer, kept = block.attn1, []
    for part in parts:
        shift, scale, *_ = _modulation(block, times, part)
        x = (block.norm1(hidden[:, part].float()) * (1 + scale) + shift).type_as(hidden)
        cosines, sines = (one[:, part] for one in rotation)
        made = (
            _rotated(_heads(layer.norm_q(layer.to_q(x)), layer.heads), cosines, sines),
            _rotated(_heads(layer.norm_k(layer.to_k(x)), layer.heads), cosines, sines),
            _heads(layer.to_v(x), layer.heads),
        )
        kept = kept or [one.new_empty(1, hidden.shape[1], *one.shape[2:]) for one in made]
        for whole, one in zip(kept, made, strict=True):
            whole[:, part] = one
    return dispatch_attention_fn(*kept).flatten(2, 3).type_as(kept[0])


def _modulation(block: Any, times: torch.Tensor, part: slice) -> tuple[torch.Tensor, ...]:
    """Return shift, scale and gate of both halves of the block, in 32-bit numbers."""
    if times.ndim == 4:
        found = block.scale_shift_table.unsqueeze(0) + times[:, part].float()
        return tuple(one.squeeze(2) for one in found.chunk(6, dim=2))
    return (block.scale_shift_table + times.float()).chunk(6, dim=1)


def _heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    return x.unflatten(2, (heads, -1))


def _out(layer: Any, x: torch.Tensor) -> torch.Tensor:
    return layer.to_out[1](layer.to_out[0](x))


def _rotated(x: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    first, second = x.unflatten(-1, (-1, 2)).unbind(-1)
    cosines, sines = cosines[..., 0::2], sines[..., 1::2]
    found = torch.empty_like(x)
    found[..., 0::2] = first * cosines - second * sines
    found[..., 1::2] = first * sines + second * cosines
    return found
