"""Decode latents through the temporal VAE, a chunk at a time: memory does not grow with the clip's length."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ...nan_checks import check_decoded
from .chunks import chunk_ranges, halo_of, of_one_length

OUTERMOST = ("conv_norm_out", "conv_out", "time_conv_out")
"""The decoder's last layers. They stay in fp32: bf16 has steps of half a grey level there, which alone costs 4 dB."""


def decode(model: Any, latents: torch.Tensor, chunk: int, halo: int | None = None) -> Iterator[np.ndarray]:
    """Decode latents to frames, always in the same chunks for the same arguments.

    Args:
        model: The loaded model.
        latents: (1, frames, channels, h, w), on any device.
        chunk: The most frames decoded together.
        halo: Frames of a chunk that are decoded along on both sides and thrown away. The decoder's convolutions in
            time see nothing beyond a chunk, so that its outermost frames differ a little, which reads as a jump.
            None = 1, or 0 in small chunks.

    Yields:
        (n, height, width, 3) uint8, in order.

    Raises:
        NotFinite: The VAE gave NaN or infinity.
    """
    total = latents.shape[1]
    if halo is None:
        halo = halo_of(total, chunk)
    chunks = chunk_ranges(total, chunk - 2 * halo)
    decoded = [(max(0, first - halo), min(total, end + halo)) for first, end in chunks]
    if getattr(model, "compiled", None) is not None:
        decoded = of_one_length(decoded, total)
    for (first, end), (low, high) in zip(chunks, decoded, strict=True):
        frames = decode_frames(model, latents[:, low:high])
        yield frames[first - low : end - low]


@torch.no_grad()
def decode_frames(model: Any, latents: torch.Tensor) -> np.ndarray:
    """Decode (1, n, channels, h, w) at once to (n, height, width, 3) uint8."""
    vae = model.bring("vae")
    flat = latents.flatten(0, 1).to(model.device, next(vae.decoder.parameters()).dtype)
    flat = 1 / vae.config.scaling_factor * flat
    pixels = vae.decode(flat, num_frames=len(flat)).sample.float()
    check_decoded(pixels)
    pixels = (pixels * 0.5 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).cpu().numpy())


def suit_cpu(decoder: Any, dtype: torch.dtype) -> None:
    """Have a decoder compute as a CPU does it quickest: channels last in memory, in bf16 where the CPU multiplies it.

    14 frames of `mini` take 9.8 CPU seconds as diffusers computes them, 7.0 with channels last (104 dB from it) and 4.2
    in bf16 (46 dB; bench/RESULTS.md, "A decoder for processors"). In fp32 convolutions over time become products.

    Args:
        decoder: diffusers' `TemporalDecoder` or a `PatchDecoder`, on the CPU.
        dtype: of its layers; with bf16 the outermost ones stay in fp32.
    """
    if next(decoder.parameters()).dtype != dtype:
        decoder.to(dtype)
    if dtype == torch.bfloat16:
        for name in OUTERMOST:
            decoder.get_submodule(name).float()
        decoder.conv_norm_out.register_forward_pre_hook(_widen)
    for layer in decoder.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stubs lack it
        elif isinstance(layer, nn.Conv3d):
            layer.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
            if is_over_time(layer) and layer.bias is not None and layer.in_channels >= 32:  # enough for a product
                layer.forward = _as_products(layer)  # pyright: ignore[reportAttributeAccessIssue] - torch names it `input`


def is_over_time(layer: nn.Conv3d) -> bool:
    """Tell whether a convolution sees three frames and one pixel, and gives as many frames as it gets."""
    plain = layer.stride == layer.dilation == (1, 1, 1) and layer.groups == 1
    return plain and layer.kernel_size == (3, 1, 1) and layer.padding == (1, 0, 0)


def _as_products(layer: nn.Conv3d) -> Callable[[torch.Tensor], torch.Tensor]:
    """Compute a convolution over time as three products of matrices: in fp32 a sixth of oneDNN's CPU seconds.

    In bf16 each product would be rounded, so that stays a convolution.
    """
    convolve = layer.forward

    def forward(x: torch.Tensor) -> torch.Tensor:
        if x.dtype != torch.float32 or len(x) != 1:
            return convolve(x)
        _, channels, frames, height, width = x.shape
        rows = x[0].permute(1, 2, 3, 0).reshape(frames, height * width, channels)
        before, now, after = (layer.weight[:, :, at, 0, 0] for at in range(3))
        total = nn.functional.linear(rows, now, layer.bias)
        for weight, given, wanted in ((before, rows[:-1], total[1:]), (after, rows[1:], total[:-1])):
            wanted.baddbmm_(given, weight.t().expand(frames - 1, -1, -1))
        return total.reshape(frames, height, width, -1).permute(3, 0, 1, 2)[None]

    return forward


def _widen(_: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(x.float() for x in given)
