"""The VAE's decoder as a CPU computes it quickest: channels last in memory, and bf16 where the CPU multiplies it.

14 frames of `mini` take 9.8 CPU seconds as diffusers computes them, 7.0 with channels last (104 dB from it) and 4.2 in
bf16 (46 dB; bench/RESULTS.md, "A decoder for processors").
"""

from typing import Any

import torch
from torch import nn

OUTERMOST = ("conv_norm_out", "conv_out", "time_conv_out")
"""The decoder's last layers. They stay in fp32: bf16 has steps of half a grey level there, which alone costs 4 dB."""


def suit_cpu(decoder: Any, dtype: torch.dtype) -> None:
    """Change a decoder in place, before its first use.

    Args:
        decoder: diffusers' `TemporalDecoder`, on the CPU.
        dtype: of its layers; with bf16 the outermost ones stay in fp32.
    """
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


def _widen(_: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(x.float() for x in given)
