"""Stage 1, the VAE: diffusers' AutoencoderKLTemporalDecoder, factor 8 like SVD's, with 16 latent channels.

The encoder is closed form (patches.py), so only the temporal decoder is trained, and the UNet need not wait for it.
It is trained on CLIPS: trained on single frames, it shifts the colours of every frame but the first.
`scaling_factor` is 1: the conditioning latents, which SVD leaves unscaled, and the noisy latents live on one scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import linear
import numpy as np
import tail
import torch
import torch.nn.functional as F
from camera import clip, random_clip
from common import autocast
from diffusers import AutoencoderKLTemporalDecoder
from muon import split
from patches import Patches, install
from steps import Limits, Steps

BORDER = 3  # pixels


@dataclass(frozen=True)
class VaeConfig(Limits):
    """Training of the VAE's decoder."""

    linear_steps: int = 1500
    steps: int = 6000
    minutes: float = 60.0  # the run ends here at the latest, its schedule scaled to it
    tail_minutes: float = 8.0  # then the last block alone, see tail.py
    tail_clips: int = 110
    peak_rate: float = 1e-3
    images: int = 8  # frames a step, over all its clips
    crop: int = 64  # pixels
    chroma_weight: float = 1.0
    edge_weight: float = 1.0
    border_weight: float = 1.0
    tail_border_weight: float = 12.0
    judged: int = 6  # frames of each clip that the PSNR is taken of
    noise: float = 0.1  # on the latents, at most: the UNet's will not be perfect either
    seed: int = 1


def build(patches: Patches) -> AutoencoderKLTemporalDecoder:
    """64 channels at full size are the least: GroupNorm has 32 groups, and one channel each would lose the colours."""
    vae = AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4,
        block_out_channels=(64, 64, 64, 128),
        layers_per_block=1,
        latent_channels=len(patches.scale),
        sample_size=256,
        scaling_factor=1.0,
        force_upcast=True,
    )
    install(patches, vae.encoder, vae.quant_conv)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    with torch.no_grad():  # time starts out as the identity: every frame is decoded by itself
        vae.decoder.time_conv_out.weight.zero_()
        vae.decoder.time_conv_out.weight[range(3), range(3), 1] = 1
        vae.decoder.time_conv_out.bias.zero_()
    return vae


class Crops:
    """Random crops of random clips, (N*T, 3, S, S) float in [-1, 1]. Clips are drawn smaller or larger, for variety."""

    def __init__(self, photos: list[np.ndarray], seed: int, keep: int = 160) -> None:
        self.photos, self.rng, self.keep = photos, np.random.default_rng(seed), keep
        self.clips: list[np.ndarray] = []

    def draw(self, count: int, frames: int, size: int) -> torch.Tensor:
        """Return `count` crops of `frames` frames, `size` pixels square."""
        if len(self.clips) < self.keep:
            self.clips += [random_clip(self.photos, self.rng)[0] for _ in range(4)]
        elif self.rng.random() < 0.5:  # a slowly changing pool: drawing a clip costs as much as half a step
            self.clips[self.rng.integers(self.keep)] = random_clip(self.photos, self.rng)[0]
        crops = []
        for _ in range(count):
            clip = self.clips[self.rng.integers(len(self.clips))]
            start = self.rng.integers(clip.shape[0] - frames + 1)
            y, x = (self.rng.integers(clip.shape[axis] - size + 1) for axis in (1, 2))
            crops.append(clip[start : start + frames, y : y + size, x : x + size])
        pixels = torch.from_numpy(np.concatenate(crops)).permute(0, 3, 1, 2)
        return pixels.float() / 127.5 - 1


def to_opponent(pixels: torch.Tensor) -> torch.Tensor:
    """RGB to (luma, blue - luma, red - luma): a colour error hides in RGB's mean but not here. Weights: BT.601."""
    luma = 0.299 * pixels[:, :1] + 0.587 * pixels[:, 1:2] + 0.114 * pixels[:, 2:]
    return torch.cat([luma, pixels[:, 2:] - luma, pixels[:, :1] - luma], 1)


def reconstruction_loss(made: torch.Tensor, true: torch.Tensor, config: VaeConfig) -> torch.Tensor:
    """L1 on pixels, opponent colours, differences between neighbours (edges stay edges), and the outermost pixels.

    The convolutions' zero padding darkens the outermost pixels, and the whole picture's mean hardly sees it.
    """
    loss = F.l1_loss(made, true)
    loss = loss + config.chroma_weight * F.l1_loss(to_opponent(made)[:, 1:], to_opponent(true)[:, 1:])
    for axis in (2, 3):
        loss = loss + config.edge_weight * F.l1_loss(made.diff(dim=axis), true.diff(dim=axis))
        for end in (0, made.shape[axis] - BORDER):
            sides = (picture.narrow(axis, end, BORDER) for picture in (made, true))
            loss = loss + config.border_weight / 4 * F.l1_loss(*sides)
    return loss


@torch.no_grad()
def psnr(round_trip: Callable[[torch.Tensor], torch.Tensor], photos: list[np.ndarray], frames: int) -> float:
    """Mean PSNR in dB of still-camera and moving clips at the native size, encoded and decoded by `round_trip`."""
    rng, values = np.random.default_rng(7), []
    for photo in photos:
        video = torch.from_numpy(clip(photo, rng, 127, 6, frames=frames, shapes=False)).permute(0, 3, 1, 2)
        pixels = video.float() / 127.5 - 1
        made = round_trip(pixels).clamp(-1, 1)
        values.append(10 * np.log10(4 / float(F.mse_loss(made, pixels))))
    return float(np.mean(values))


def noisy_latents(patches: Patches, pixels: torch.Tensor, config: VaeConfig) -> torch.Tensor:
    """Latents of pixels with up to `config.noise` of noise: what a denoiser leaves is never quite clean."""
    latents = patches.encode(pixels)
    return latents + config.noise * torch.rand(()) * torch.randn_like(latents)


def train_tail(vae: AutoencoderKLTemporalDecoder, patches: Patches, crops: Crops, config: VaeConfig) -> None:
    """Train the decoder's last block by itself, with a heavier weight on the borders (`tail.train`)."""

    def draw_clip() -> tuple[torch.Tensor, torch.Tensor]:
        pixels = crops.draw(1, 6, config.crop)
        return noisy_latents(patches, pixels, config), pixels

    strict = replace(config, border_weight=config.tail_border_weight)
    tail.train(vae, draw_clip, partial(reconstruction_loss, config=strict), config.tail_minutes, config.tail_clips)


def train(
    patches: Patches,
    photos: list[np.ndarray],
    held_out: list[np.ndarray],
    run: Path,
    config: VaeConfig = VaeConfig(),
    start: Path | None = None,
) -> AutoencoderKLTemporalDecoder:
    """Trains the decoder, or goes on from the last checkpoint; returns the VAE with the averaged weights.

    start: a model folder whose decoder a new run begins with.
    """
    torch.manual_seed(config.seed)
    vae = build(patches)
    decoder, crops = vae.decoder, Crops(photos, config.seed)
    steps = Steps("vae", run, decoder, split(decoder), config, log_every=50)

    def round_trip(pixels: torch.Tensor) -> torch.Tensor:
        return vae.decode(vae.encode(pixels).latent_dist.mode(), num_frames=len(pixels)).sample

    if not steps.first:
        if start:
            kept = AutoencoderKLTemporalDecoder.from_pretrained(start, subfolder="vae")
            decoder.load_state_dict(kept.decoder.state_dict())
        else:
            linear.install(linear.fit(patches, crops.draw, config.linear_steps), decoder)
            print("vae: PSNR of the linear start, dB:", round(psnr(round_trip, held_out, config.judged), 2), flush=True)
        steps.average.begin(decoder)

    for step, done in steps:
        frames = int(crops.rng.choice([2, 4, 8] if done < 0.7 else [4, 8, 14]))
        pixels = crops.draw(max(1, config.images // frames), frames, config.crop)
        latents = noisy_latents(patches, pixels, config)
        with autocast():
            made = vae.decode(latents, num_frames=frames).sample.float()
        loss = reconstruction_loss(made, pixels, config)
        steps.learn(loss)
        steps.note(step, loss=loss.item(), error=F.mse_loss(made, pixels).item())
    train_tail(vae, patches, crops, config)
    if held_out:
        reached = psnr(round_trip, held_out, config.judged)
        print("vae: PSNR on photos never trained on, dB:", round(reached, 2), flush=True)
    return vae.eval()
