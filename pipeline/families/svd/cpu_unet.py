"""Compute the UNet as a CPU does it quickest, equal within rounding: channels last in memory, as tokens are anyway.

Convolutions take less time so, one over time is one over the rows of a picture, and no layer has to turn tensors round
for the next one. A pass of `mini` takes 0.9 of its CPU seconds (bench/RESULTS.md, "The UNet on a processor").
"""

from collections.abc import Callable
from typing import Any

import torch
from diffusers.models.activations import GEGLU
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from diffusers.models.upsampling import Upsample2D
from torch import nn
from torch.nn.functional import conv2d, gelu, pad

from .decoding.vae import is_over_time

Forward = Callable[..., Any]


def suit_cpu(unet: nn.Module) -> None:
    """Change a UNet in place, whose weights are in fp32 on the CPU, before hooks are put on.

    Args:
        unet: diffusers' UNetSpatioTemporalConditionModel.
    """
    for module in unet.modules():
        changed: Any = module  # torch's stubs know neither the memory formats nor other forward methods
        if isinstance(module, nn.Conv2d):
            changed.to(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d) and is_over_time(module):
            changed.to(memory_format=torch.channels_last_3d)
            changed.forward = _over_rows(module)
        elif isinstance(module, nn.GroupNorm) and module.affine:
            changed.forward = _group_norm(module)
        elif isinstance(module, Upsample2D) and _doubles(module):
            changed.forward = _double(module)
        elif isinstance(module, TransformerSpatioTemporalModel):
            changed.forward = _transformer(module)
        elif isinstance(module, GEGLU):
            changed.forward = _geglu(module)


def _over_rows(layer: nn.Conv3d) -> Forward:
    """Convolve over the rows of a picture as high as the clip is long: half of the convolution's time in three axes."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        """Convolve (batch, channels, frames, h, w) over the frames, to the same shape."""
        picture = conv2d(x.flatten(3), layer.weight[..., 0], layer.bias, padding=(1, 0))
        return picture.unflatten(3, x.shape[3:])

    return forward


def _group_norm(layer: nn.GroupNorm) -> Forward:
    """Normalise with channels last, which takes torch's own layer twelve times as long as with channels first.

    The mean is subtracted before the squares are summed, so that a mean far from 0 costs no digits.
    """

    def forward(x: torch.Tensor) -> torch.Tensor:
        """Normalise (batch, channels, …) to the same shape, channels last."""
        rows = x.movedim(1, -1).reshape(len(x), -1, layer.num_channels)
        mean = of_groups(rows).expand(-1, -1, layer.num_channels // layer.num_groups).reshape(len(x), 1, -1)
        centred = rows - mean
        scale = (of_groups(centred * centred) + layer.eps).rsqrt() * layer.weight.view(layer.num_groups, -1)
        normal = torch.addcmul(layer.bias, centred, scale.view(len(x), 1, -1))
        return normal.view(len(x), *x.shape[2:], -1).movedim(-1, 1)

    def of_groups(rows: torch.Tensor) -> torch.Tensor:
        """Return the groups' means, (batch, groups, 1)."""
        return rows.mean(1).view(len(rows), layer.num_groups, -1).mean(-1, keepdim=True)

    return forward


def _doubles(layer: Any) -> bool:
    convolution = layer.conv if layer.use_conv and not layer.use_conv_transpose and layer.name == "conv" else None
    plain = isinstance(convolution, nn.Conv2d) and convolution.kernel_size == (3, 3) and convolution.padding == (1, 1)
    return plain and layer.interpolate and layer.norm is None


def _double(layer: Any) -> Forward:
    """Double a picture's sides and convolve in one: four ninths of the multiplications.

    Of the nine pixels that a kernel sees in the doubled picture only four differ. So each of the four kinds of pixels
    (even and odd rows and columns) is a convolution of the small picture with sums of the kernel's numbers.
    """
    whole, convolution = layer.forward, layer.conv
    convolve = convolution.forward

    def forward(x: torch.Tensor, output_size: Any = None, *_: Any, **__: Any) -> torch.Tensor:
        # Through the layer's call, for offload hooks to bring its weights.
        return convolution(x, double=True) if output_size is None else whole(x, output_size)

    def convolve_doubled(x: torch.Tensor, double: bool = False) -> torch.Tensor:
        """Convolve (batch, channels, h, w), with `double` to (batch, channels out, 2h, 2w)."""
        if not double:
            return convolve(x)
        batch, _, height, width = x.shape
        padded = pad(x.movedim(1, -1), (0, 0, 1, 1, 1, 1)).movedim(-1, 1)
        result = x.new_empty(batch, height, 2, width, 2, convolution.out_channels)
        for odd_row, rows in enumerate(halves(convolution.weight, 2)):
            for odd_column, kernel in enumerate(halves(rows, 3)):
                seen = padded[:, :, odd_row : odd_row + height + 1, odd_column : odd_column + width + 1]
                result[:, :, odd_row, :, odd_column] = conv2d(seen, kernel, convolution.bias).movedim(1, -1)
        return result.view(batch, 2 * height, 2 * width, -1).movedim(-1, 1)

    def halves(kernel: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what even and odd rows (columns) have of three: two numbers along that axis."""
        first, middle, last = kernel.split(1, axis)
        return torch.cat([first, middle + last], axis), torch.cat([first + middle, last], axis)

    convolution.forward = convolve_doubled
    return forward


def _transformer(module: Any) -> Forward:
    """Compute the layers as diffusers does, and give back channels last, where it copies to channels first."""

    def forward(
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        image_only_indicator: torch.Tensor,
        return_dict: bool = False,
    ) -> tuple[torch.Tensor]:
        """Transform (batch · frames, channels, h, w) to the same shape. The context is (batch · frames, 1, width)."""
        assert not return_dict
        _, _, height, width = hidden_states.shape
        batch, frames = image_only_indicator.shape
        time_context = encoder_hidden_states[::frames].repeat_interleave(height * width, dim=0)
        times = module.time_proj(torch.arange(frames).repeat(batch)).to(hidden_states.dtype)
        position = module.time_pos_embed(times)[:, None]
        tokens = module.proj_in(module.norm(hidden_states).flatten(2).transpose(1, 2))
        for spatial, temporal in zip(module.transformer_blocks, module.temporal_transformer_blocks, strict=True):
            tokens = spatial(tokens, encoder_hidden_states=encoder_hidden_states)
            moved = temporal(tokens + position, num_frames=frames, encoder_hidden_states=time_context)
            tokens = module.time_mixer(tokens, moved, image_only_indicator)
        tokens = module.proj_out(tokens)
        return (tokens.transpose(1, 2).unflatten(2, (height, width)) + hidden_states,)

    return forward


def _geglu(layer: Any) -> Forward:
    """Multiply where the activation was written: less memory to go through, and the very numbers of diffusers."""

    def forward(tokens: torch.Tensor) -> torch.Tensor:
        values, gates = layer.proj(tokens).chunk(2, dim=-1)
        return gelu(gates).mul_(values)

    return forward
