"""The VAE's encoder, in closed form: the principal components of 8x8 photo patches, written into diffusers' Encoder.

16 components of the 192 values of a patch keep 27.5 dB on photos never seen; training an encoder of the same size by
gradient descent needs hours of CPU to get there. What makes it fit into the class is exact, not approximate:
space-to-depth is a stride-2 convolution, a residual block whose last convolution is zero passes its input on, and
SiLU(u) - SiLU(-u) = u. Only GroupNorm needs a trick, see `install`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

PATCH = 8  # pixels; a VAE of four blocks has the same factor, and SVD's own is 8 too


@dataclass(frozen=True)
class Patches:
    """mean (192,), basis (192, L), scale (L,): latents = (patch - mean) @ basis * scale; a patch is (colour, y, x)."""

    mean: torch.Tensor
    basis: torch.Tensor
    scale: torch.Tensor

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, L, H/8, W/8): what the installed network computes, by one matrix product."""
        kernel = (self.basis * self.scale).T.reshape(-1, 3, PATCH, PATCH)
        bias = -(self.mean @ self.basis) * self.scale
        return nn.functional.conv2d(pixels, kernel, bias, stride=PATCH)


def fit(photos: list[np.ndarray], latents: int = 16, width: int = 256, seed: int = 0) -> Patches:
    """Principal components of patches at the model's native size, `width` pixels across a photo or a part of it.

    The components' spreads differ twentyfold. They are brought together, not made equal (exponent 0.5): strong
    components, the layout and the colours, then still emerge from the noise first when sampling. Mean variance is 1.
    """
    import cv2

    rng, rows = np.random.default_rng(seed), []
    for photo in photos:
        for factor in (1.0, 1.5):
            scale = factor * width / photo.shape[1]
            small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            small = small[: small.shape[0] // PATCH * PATCH, : small.shape[1] // PATCH * PATCH]
            high, wide = small.shape[0] // PATCH, small.shape[1] // PATCH
            patches = small.reshape(high, PATCH, wide, PATCH, 3).transpose(0, 2, 4, 1, 3).reshape(high * wide, -1)
            rows.append(rng.permutation(patches)[:600])
    data = torch.from_numpy(np.concatenate(rows)).double() / 127.5 - 1
    mean = data.mean(0)
    variances, vectors = torch.linalg.eigh((data - mean).T @ (data - mean) / len(data))
    spread, basis = variances.flip(0)[:latents].sqrt(), vectors.flip(1)[:, :latents]
    scale = spread**-0.5
    scale = scale / ((spread * scale) ** 2).mean().sqrt()
    return Patches(mean.float(), basis.float(), scale.float())


@torch.no_grad()
def install(patches: Patches, encoder: nn.Module, quant_conv: nn.Conv2d) -> None:
    """Writes the components into an Encoder with blocks (64, 64, 64, 128) and 16 latent channels; its mode is exact.

    GroupNorm would rescale every frame by its own contrast. Each group of 4 channels therefore holds (c, -c, K, -K)
    with a constant K that outweighs the component c: the group's mean is 0 and its spread K / sqrt(2), whatever c is.
    """
    for name, parameter in encoder.named_parameters():
        if any(part in name for part in ("conv2.", "to_out", "conv_shortcut", "downsamplers", "conv_out", "conv_in")):
            parameter.zero_()
    constant, count = 40.0, len(patches.scale)
    for channel in range(3):
        encoder.conv_in.weight[channel, channel, 1, 1] = 1
    for level, channels in ((0, 3), (1, 12)):  # space to depth: (channel, y, x) becomes one channel
        down = encoder.down_blocks[level].downsamplers[0].conv
        for channel in range(channels):
            for y in range(2):
                for x in range(2):
                    down.weight[channel * 4 + y * 2 + x, channel, y, x] = 1
    kernel = (patches.basis * patches.scale).T.reshape(count, 3, 2, 2, 2, 2, 2, 2)  # colour, y: 4s 2s 1s, x: 4s 2s 1s
    folded = kernel.permute(0, 1, 4, 7, 3, 6, 2, 5).reshape(count, 48, 2, 2)  # colour, 1s, 2s | 4s: y, x
    last = encoder.down_blocks[2].downsamplers[0].conv
    last.weight[:count, :48, :2, :2] = folded
    last.bias[:count] = -(patches.mean @ patches.basis) * patches.scale
    spread = encoder.down_blocks[3].resnets[0].conv_shortcut
    for index in range(count):
        spread.weight[4 * index, index] = 1
        spread.weight[4 * index + 1, index] = -1
        spread.bias[4 * index + 2], spread.bias[4 * index + 3] = constant, -constant
        encoder.conv_out.weight[index, 4 * index, 1, 1] = constant / 2**0.5
        encoder.conv_out.weight[index, 4 * index + 1, 1, 1] = -constant / 2**0.5
    encoder.conv_norm_out.weight.fill_(1)
    encoder.conv_norm_out.bias.zero_()
    encoder.conv_out.bias[count:] = -10  # log variance: the mode is what counts
    quant_conv.weight.copy_(torch.eye(2 * count)[:, :, None, None])
    quant_conv.bias.zero_()
