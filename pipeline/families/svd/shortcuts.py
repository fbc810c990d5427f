"""Compute the same UNet in cheaper ways, equal within rounding: put on once, after reading and before placing it.

One step of SVD-XT on an H100 takes 0.590 s with them instead of 0.651 (bench/RESULTS.md), a pass of `mini` on two cores
0.167 s instead of 0.193.
"""

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import AlphaBlender
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

ARITHMETIC = 2
"""Part of a checkpoint's key: raise it with every change here or in `cpu_unet.py` that gives other numbers. 0 is
diffusers' own way."""


class OneToken(nn.Module):
    """Cross-attention over a single token: its softmax is 1, so that the result does not depend on the query.

    SVD's context is the photo's one CLIP embedding (StableAnimator #110). The layers of the query and of the key are
    left out, those of the value and the output stay the modules they were, for offload hooks to find.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.to_v, self.to_out = attention.to_v, attention.to_out[0]

    def forward(self, hidden_states: torch.Tensor, encoder_hidden_states: Any = None, **_: Any) -> torch.Tensor:
        """Return (batch, 1, width), which the caller adds to every position."""
        if encoder_hidden_states is None or encoder_hidden_states.shape[1] != 1:
            raise ValueError("this attention is computed for a context of one token, the photo's embedding")
        return self.to_out(self.to_v(encoder_hidden_states))


class PlainAttention:
    """diffusers' AttnProcessor2_0 as far as this UNet needs it, without the division of the result by 1.0."""

    def __call__(
        self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, attention_mask: Any = None, **_: Any
    ) -> torch.Tensor:
        """Attend as diffusers does; the arguments are those of its processors."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def heads(x: torch.Tensor) -> torch.Tensor:
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)

        query, key, value = heads(attn.to_q(hidden_states)), heads(attn.to_k(context)), heads(attn.to_v(context))
        attended = scaled_dot_product_attention(query, key, value)
        return attn.to_out[0](attended.transpose(1, 2).flatten(2))


def put_on(unet: nn.Module) -> int:
    """Change the UNet in place, before hooks and devices. Return the number for checkpoints' keys."""
    for block in list(unet.modules()):
        attention: Any = getattr(block, "attn2", None)
        if isinstance(attention, Attention) and _is_plain(attention):
            block.attn2, block.norm2 = OneToken(attention), nn.Identity()
    for module in unet.modules():
        if isinstance(module, Attention) and _is_plain(module):
            module.processor = PlainAttention()  # pyright: ignore[reportAttributeAccessIssue] - annotated with its own
        elif isinstance(module, AlphaBlender) and module.merge_strategy == "learned_with_images":
            module.forward = _lerp(module)
    return ARITHMETIC


def _is_plain(attention: Any) -> bool:
    """Return whether a layer is query, key, value, scores, output, and nothing between or after them."""
    extras = ("group_norm", "spatial_norm", "norm_cross", "norm_q", "norm_k", "added_kv_proj_dim")
    return (
        not any(getattr(attention, name, None) is not None for name in extras)
        and not attention.residual_connection
        and attention.rescale_output_factor == 1.0
    )


def _lerp(mixer: Any) -> Callable[..., torch.Tensor]:
    """Blend in one pass over the memory; diffusers takes two products and a sum. No frame is a picture alone here.

    A compiler would make each block's own number a constant, and so compile each block by itself: it gets a tensor.
    """
    spatial = float(torch.sigmoid(mixer.mix_factor.detach().float())[0])
    temporal = spatial if mixer.switch_spatial_to_temporal_mix else 1.0 - spatial

    def forward(x_spatial: torch.Tensor, x_temporal: torch.Tensor, image_only_indicator: Any = None) -> torch.Tensor:
        if torch.compiler.is_compiling():
            share = torch.sigmoid(mixer.mix_factor.float())
            share = share if mixer.switch_spatial_to_temporal_mix else 1.0 - share
            return torch.lerp(x_spatial.float(), x_temporal.float(), share).to(x_spatial.dtype)
        return torch.lerp(x_spatial, x_temporal, temporal)

    return forward
