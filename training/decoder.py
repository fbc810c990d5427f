"""The decoder that fanslymotion uses: the components' inverse first, then what patches and frames beside it add.

Far cheaper than diffusers' temporal decoder (vae.py), which the folder keeps for the stock pipeline, and closer to
the picture: the temporal one has no layer that could hold the linear inverse exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common import autocast
from drawn import DrawnClips
from fanslymotion.pipeline.families.svd.decoding.patch_decoder import PatchDecoder, Residual
from patches import PATCH, Patches
from steps import Limits, Steps
from torch import nn
from vae import Crops, VaeConfig, noisy_latents, psnr, reconstruction_loss

FRAMES = 4
"""Of each crop: as many as it takes to see frames on both sides."""


@dataclass(frozen=True)
class DecoderConfig(Limits):
    """Training of the patch decoder."""

    steps: int = 20_000
    minutes: float = 60.0  # the run ends here at the latest, its schedule scaled to it
    peak_rate: float = 1e-3
    crops: int = 4  # a step; half of them of clips that the UNet has drawn
    crop: int = 64  # pixels
    drawn: int = 120  # clips that the UNet draws before the first step
    noise: float = 0.2  # on the latents of the other crops, at most
    seam_weight: float = 1.5
    judged: int = 6  # frames of each clip that the PSNR is taken of
    seed: int = 1


def build(patches: Patches) -> PatchDecoder:
    """Make the decoder that begins as the linear inverse: all that is added to it is zero."""
    decoder = PatchDecoder(latent_channels=len(patches.scale))
    base, last = decoder.base[0], decoder.rest[-2]
    with torch.no_grad():
        base.weight.copy_((patches.basis / patches.scale)[:, :, None, None])
        base.bias.copy_(patches.mean)
        last.weight.zero_()
        last.bias.zero_()
        for layer in decoder.rest:
            if isinstance(layer, Residual):
                layer.second.weight.mul_(0.3)
    return decoder.to(memory_format=torch.channels_last)


def split(decoder: PatchDecoder) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(weights for Muon, the rest for Adam): the first and the last layers and all biases are Adam's."""
    ends = {id(layer.weight) for layer in (decoder.base[0], decoder.rest[0], decoder.rest[-2])}
    hidden = [weight for weight in decoder.parameters() if weight.ndim > 1 and id(weight) not in ends]
    taken = {id(weight) for weight in hidden}
    return hidden, [weight for weight in decoder.parameters() if id(weight) not in taken]


def seams(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """L1 on the differences across the borders of patches: an eye sees a grid where a mean hardly does."""
    losses = []
    for axis in (2, 3):
        at = torch.arange(PATCH - 1, made.shape[axis] - 1, PATCH)
        across = (picture.diff(dim=axis).index_select(axis, at) for picture in (made, true))
        losses.append(F.l1_loss(*across))
    return losses[0] + losses[1]


def train(
    patches: Patches,
    photos: list[np.ndarray],
    held_out: list[np.ndarray],
    run: Path,
    model: Path,
    config: DecoderConfig = DecoderConfig(),
) -> PatchDecoder:
    """Train the decoder, or go on from the last checkpoint; return it with the averaged weights.

    model: the finished folder, whose UNet draws clips: a decoder that has seen the latents of photos only shows the
    UNet's errors as a grid of patches.
    """
    torch.manual_seed(config.seed)
    of_vae, decoder = VaeConfig(noise=config.noise), build(patches)
    crops = Crops(photos, config.seed)
    steps = Steps("decoder", run, decoder, split(decoder), config, log_every=100)

    def round_trip(pixels: torch.Tensor) -> torch.Tensor:
        return decoder(patches.encode(pixels))

    if not steps.first:
        print("decoder: PSNR of the inverse, dB:", round(psnr(round_trip, held_out, config.judged), 2), flush=True)
    drawn = DrawnClips(model, patches, photos, config.drawn, config.seed)
    for step, _ in steps:
        pixels = crops.draw(config.crops // 2, FRAMES, config.crop)
        given, wanted = drawn.draw(config.crops - config.crops // 2, FRAMES, config.crop)
        latents, pixels = torch.cat([noisy_latents(patches, pixels, of_vae), given]), torch.cat([pixels, wanted])
        with autocast():
            made = torch.cat([decoder(one) for one in latents.split(FRAMES)]).float()
        loss = reconstruction_loss(made, pixels, of_vae) + config.seam_weight * seams(made, pixels)
        steps.learn(loss)
        steps.note(step, loss=loss.item(), error=F.mse_loss(made, pixels).item())
    reached = psnr(round_trip, held_out, config.judged)
    print("decoder: PSNR on photos never trained on, dB:", round(reached, 2), flush=True)
    return decoder.eval()
