"""The decoder that fanslymotion uses: the components' inverse first, then what patches and frames beside it add.

Far cheaper than diffusers' temporal decoder (vae.py), which the folder keeps for the stock pipeline, and closer to
the picture: the temporal one has no layer that could hold the linear inverse exactly.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from camera import clip
from common import Average, Checkpoint, Log, autocast, learning_rate, take_step
from drawn import DrawnClips
from fanslymotion.pipeline.families.svd.decoding.patch_decoder import PatchDecoder, Residual
from muon import Muon
from patches import Patches
from torch import nn
from vae import Crops, VaeConfig, noisy_latents, reconstruction_loss

FRAMES = 4
"""Of each crop: as many as it takes to see frames on both sides."""


@dataclass(frozen=True)
class DecoderConfig:
    """Training of the patch decoder."""

    steps: int = 20_000
    minutes: float = 60.0  # the run ends here at the latest, its schedule scaled to it
    peak_rate: float = 1e-3
    crops: int = 4  # a step; half of them of clips that the UNet has drawn
    crop: int = 64  # pixels
    drawn: int = 120  # clips that the UNet draws before the first step
    noise: float = 0.2  # on the latents of the other crops, at most
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


@torch.no_grad()
def psnr(decoder: PatchDecoder, patches: Patches, photos: list[np.ndarray], frames: int) -> float:
    """Mean PSNR in dB of round-tripped moving clips at the native size, the ones that `vae.psnr` takes."""
    rng, values = np.random.default_rng(7), []
    for photo in photos:
        video = torch.from_numpy(clip(photo, rng, 127, 6, frames=frames, shapes=False)).permute(0, 3, 1, 2)
        pixels = video.float() / 127.5 - 1
        made = decoder(patches.encode(pixels)).clamp(-1, 1)
        values.append(10 * np.log10(4 / float(F.mse_loss(made, pixels))))
    return float(np.mean(values))


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
    noise, decoder = VaeConfig(crop=config.crop, noise=config.noise), build(patches)
    crops, log = Crops(photos, config.seed), Log(run, "decoder", every=100)
    average = Average(decoder, 0.998)
    hidden, rest = split(decoder)
    optimisers = [
        torch.optim.AdamW(rest, lr=config.peak_rate, betas=(0.9, 0.98), weight_decay=1e-3),
        Muon(hidden, lr=config.peak_rate),
    ]
    checkpoint = Checkpoint(run / "decoder.pt", decoder, average, optimisers)
    first, spent = checkpoint.load()
    if not first:
        print(
            "decoder: PSNR of the inverse, dB:", round(psnr(decoder, patches, held_out, config.judged), 2), flush=True
        )
    drawn = DrawnClips(model, patches, photos, config.drawn, config.seed)
    for step in range(first, config.steps):
        begun = time.perf_counter()
        done = max(step / config.steps, spent / (60 * config.minutes))
        if done >= 1:
            break
        rate = learning_rate(step, done, config.peak_rate)
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = rate
        pixels = crops.draw(config.crops // 2, FRAMES, config.crop)
        given, wanted = drawn.draw(config.crops - config.crops // 2, FRAMES, config.crop)
        latents, pixels = torch.cat([noisy_latents(patches, pixels, noise), given]), torch.cat([pixels, wanted])
        with autocast():
            made = torch.cat([decoder(one) for one in latents.split(FRAMES)]).float()
        loss = reconstruction_loss(made, pixels, noise)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        take_step(optimisers, norm)
        average.update(decoder)
        spent += time.perf_counter() - begun
        log.add(step + 1, loss=loss.item(), error=F.mse_loss(made, pixels).item())
        if (step + 1) % 200 == 0:
            checkpoint.save(step + 1, spent)
            log.draw()
    average.copy_to(decoder)
    made = psnr(decoder, patches, held_out, config.judged)
    print("decoder: PSNR on photos never trained on, dB:", round(made, 2), flush=True)
    return decoder.eval()
