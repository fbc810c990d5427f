"""Where the VAE's decoder starts: the best LINEAR decoder of the patch components, fitted in a minute.

Convolutions with nothing between them but nearest-neighbour upsampling, which is what is left of diffusers'
TemporalDecoder when its residual branches are zero. From this start gradient descent only has to add what a linear
decoder cannot do; from a random one it spends its first hour to get there.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from patches import Patches
from torch import nn

WIDTHS = (64, 48, 32)  # linear features at 1/8, 1/4 and 1/2 of the size


class LinearDecoder(nn.Module):
    """(N, L, h, w) latents to (N, 3, 8h, 8w) pixels."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        widths = (latents, *WIDTHS, 3)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the pixels of these latents."""
        for number, layer in enumerate(self.layers):
            latents = layer(F.interpolate(latents, scale_factor=2.0) if number else latents)
        return latents


def fit(patches: Patches, draw, steps: int = 1500, peak_rate: float = 4e-3) -> LinearDecoder:
    """Least squares by Adam; `draw(count, frames, size)` gives pixels (N, 3, S, S)."""
    linear = LinearDecoder(len(patches.scale))
    optimiser = torch.optim.Adam(linear.parameters(), lr=peak_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak_rate, total_steps=steps)
    for step in range(steps):
        pixels = draw(6, 1, 96)
        loss = F.mse_loss(linear(patches.encode(pixels)), pixels)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(linear.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 250 == 249:
            print(
                "linear decoder: step",
                step + 1,
                "PSNR",
                round(float(10 * torch.log10(4 / loss.detach())), 2),
                flush=True,
            )
    return linear


@torch.no_grad()
def install(linear: LinearDecoder, decoder: nn.Module) -> None:
    """Writes the linear decoder into a TemporalDecoder with 128, 64, 64, 64 channels; the other channels stay free.

    The last GroupNorm has groups of two channels: (u, K) lets a colour u through (their difference is u, scaled by a
    spread that the constant K dominates), and a bias keeps SiLU nearly linear.
    """
    for name, parameter in decoder.named_parameters():
        if "conv2" in name:
            parameter.zero_()
    targets = (decoder.conv_in, *(block.upsamplers[0].conv for block in decoder.up_blocks[:3]))
    used = linear.layers[0].in_channels
    for layer, target in zip(linear.layers, targets, strict=True):
        rows = list(range(layer.out_channels)) if layer.out_channels != 3 else [0, 2, 4]
        target.weight[rows] = 0
        target.weight[rows, :used] = layer.weight
        target.bias[rows] = layer.bias
        used = layer.out_channels
    shortcut = decoder.up_blocks[1].resnets[0].spatial_res_block.conv_shortcut
    kept = WIDTHS[1]
    shortcut.weight[:kept] = torch.eye(kept, shortcut.in_channels)[:, :, None, None]
    shortcut.bias[:kept] = 0
    constant, offset, slope = 4.0, 2.5, 1.1
    last = decoder.up_blocks[2].upsamplers[0].conv
    decoder.conv_out.weight.mul_(0.1)
    for colour in range(3):
        u, k = 2 * colour, 2 * colour + 1
        last.weight[k] = 0
        last.bias[k] = constant
        decoder.conv_norm_out.bias[[u, k]] = offset
        decoder.conv_out.weight[colour, u, 1, 1] += constant / 2 / slope
        decoder.conv_out.weight[colour, k, 1, 1] -= constant / 2 / slope
        decoder.conv_out.bias[colour] = constant
