"""Compute a block of LTX-Video's transformer some tokens at a time, with the results of diffusers' own block.

diffusers is imported with the model (`light_import`), so the functions import from it when they are called.
"""

from typing import Any

import torch

from ..weights.pieces import pieces


def compute(
    block: Any,
    hidden_states: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    temb: torch.Tensor,
    image_rotary_emb: tuple[torch.Tensor, torch.Tensor],
    encoder_attention_mask: torch.Tensor,
) -> torch.Tensor:
    """Return the block's result.

    Args:
        block: A LTXVideoTransformerBlock.
        hidden_states: (1, tokens, width).
        encoder_hidden_states: Prompt embeddings, (1, prompt tokens, width).
        temb: Embedding of the timestep, (1, tokens or 1, 6 · width).
        image_rotary_emb: Cosines and sines of the positions, (1, tokens, width) each.
        encoder_attention_mask: (1, 1, prompt tokens), masks padding.
    """
    parts = pieces(hidden_states.shape[1], hidden_states.shape[2])
    attended = _attention(block, hidden_states, temb, image_rotary_emb, parts)
    result, across = torch.empty_like(hidden_states), block.attn2
    for part in parts:
        _, _, gate, shift, scale, last_gate = _modulation(block, temb, part)
        x = hidden_states[:, part] + _out(block.attn1, attended[:, part]) * gate
        x = x + across(
            x,
            encoder_hidden_states=encoder_hidden_states,
            image_rotary_emb=None,
            attention_mask=encoder_attention_mask,
        )
        result[:, part] = x + block.ff(block.norm2(x) * (1 + scale) + shift) * last_gate
    return result


def _attention(
    block: Any,
    hidden: torch.Tensor,
    temb: torch.Tensor,
    rotation: tuple[torch.Tensor, torch.Tensor],
    parts: list[slice],
) -> torch.Tensor:
    """Compute self-attention, (1, tokens, width), before its output projection."""
    from diffusers.models.attention_dispatch import dispatch_attention_fn
    from diffusers.models.transformers.transformer_ltx import apply_rotary_emb

    layer, kept = block.attn1, []
    for part in parts:
        shift, scale, *_ = _modulation(block, temb, part)
        x = block.norm1(hidden[:, part]) * (1 + scale) + shift
        turned = (rotation[0][:, part], rotation[1][:, part])
        made = (
            apply_rotary_emb(layer.norm_q(layer.to_q(x)), turned),
            apply_rotary_emb(layer.norm_k(layer.to_k(x)), turned),
            layer.to_v(x),
        )
        kept = kept or [one.new_empty(1, hidden.shape[1], one.shape[2]) for one in made]
        for whole, one in zip(kept, made, strict=True):
            whole[:, part] = one
    queries, keys, values = (one.unflatten(2, (layer.heads, -1)) for one in kept)
    return dispatch_attention_fn(queries, keys, values).flatten(2, 3).to(queries.dtype)


def _modulation(block: Any, temb: torch.Tensor, part: slice) -> tuple[torch.Tensor, ...]:
    """Return shift, scale and gate of both halves of the block."""
    told = temb if temb.shape[1] == 1 else temb[:, part]
    table = block.scale_shift_table
    found = table[None, None].to(told.device) + told.reshape(1, told.shape[1], table.shape[0], -1)
    return found.unbind(dim=2)


def _out(layer: Any, x: torch.Tensor) -> torch.Tensor:
    return layer.to_out[1](layer.to_out[0](x))
