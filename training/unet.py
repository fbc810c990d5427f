"""Stage 2: the UNet (diffusers' UNetSpatioTemporalConditionModel) and the CLIP vision encoder, trained together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from common import Average, autocast
from diffusers import UNetSpatioTemporalConditionModel
from edm import NoiseConfig, denoised, draw_sigmas, target, unet_input
from latents import Batch, Pool
from muon import split
from patches import PATCH, Patches
from steps import Limits, Steps
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection


@dataclass(frozen=True)
class UnetConfig(Limits):
    """Size and training of the UNet."""

    channels: tuple[int, ...] = (64, 96)  # 64: two for each of GroupNorm's 32 groups, see `start_still`
    latents: int = 16
    embedding: int = 64  # CLIP's projection and the cross-attention's width
    frames: int = 14
    size: tuple[int, int] = (144, 256)  # pixels: height, width
    steps: int = 6000
    minutes: float = 120.0  # the run ends here at the latest, its schedule scaled to it
    clips: int = 2  # a step
    strip: int = 96  # pixels: width of the upright strips most steps train on; they hold the whole height, for parallax
    strip_clips: int = 3  # a step, while it trains on strips
    strip_share: float = 0.7  # of the run
    spread: float = 0.0  # of the headings, radians, see `camera.swaying_move`
    peak_rate: float = 1e-3  # of Adam; Muon's is three times that
    pool: int = 600  # clips
    first_clips: int = 60
    drop: float = 0.05  # chance to drop CLIP, the conditioning latents, or both: what CFG needs
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    seed: int = 1


class Denoiser(nn.Module):
    """UNet and image encoder as one module, so that one optimiser and one average hold both."""

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        attention = ("CrossAttn",) * (len(config.channels) - 1)
        down = ("DownBlockSpatioTemporal", *(f"{a}DownBlockSpatioTemporal" for a in attention))
        up = (*(f"{a}UpBlockSpatioTemporal" for a in attention), "UpBlockSpatioTemporal")
        self.unet = UNetSpatioTemporalConditionModel(
            sample_size=(config.size[0] // PATCH, config.size[1] // PATCH),
            in_channels=2 * config.latents,
            out_channels=config.latents,
            down_block_types=down,
            up_block_types=up,
            block_out_channels=config.channels,
            layers_per_block=1,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
            cross_attention_dim=config.embedding,
            num_attention_heads=tuple(c // 32 for c in config.channels),
            num_frames=config.frames,
        )
        self.image_encoder = CLIPVisionModelWithProjection(
            CLIPVisionConfig(
                hidden_size=64,
                intermediate_size=128,
                projection_dim=config.embedding,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=224,
                patch_size=32,
            )
        )
        start_still(self.unet)

    def forward(self, batch: Batch, noisy: torch.Tensor, sigma: torch.Tensor, drop: float = 0.0) -> torch.Tensor:
        """F for a batch. `drop` empties the two conditions as SVD does: 5 of 15 parts each, and both together."""
        embedding = self.image_encoder(batch.picture).image_embeds[:, None]
        chance = torch.rand(len(sigma), 1, 1)
        embedding = embedding * (chance >= 2 * drop / 3)
        conditioning = batch.conditioning * ((chance < drop / 3) | (chance >= drop))[..., None]
        return self.unet(
            unet_input(noisy, sigma, conditioning), 0.25 * sigma.flatten().log(), embedding, batch.ids
        ).sample


@torch.no_grad()
def start_still(unet: UNetSpatioTemporalConditionModel) -> None:
    """Starts the UNet as a still video, F = -(conditioning latents): right at strong noise but for the motion to learn.

    Each conditioning channel u goes straight through the outermost skip connection, as a GroupNorm group (u, K) of two
    channels. Their difference survives the norm, all but unscaled because K is large; a bias keeps SiLU nearly linear.
    """
    constant, offset, inputs = 4.0, 2.5, unet.config.in_channels // 2
    first, last = unet.conv_in, unet.up_blocks[-1].resnets[-1]
    shortcut, width = last.spatial_res_block.conv_shortcut, unet.conv_in.out_channels
    if width != 64 or 2 * inputs > width:
        return
    for name, parameter in last.named_parameters():
        if "conv2" in name:
            parameter.mul_(0.2)
    unet.conv_out.weight.mul_(0.2)
    unet.conv_out.bias.fill_(constant)
    slope = 1.1  # SiLU's at the offset
    for index in range(inputs):
        u, k = 2 * index, 2 * index + 1
        for part in (first, shortcut):
            part.weight[[u, k]] = 0
            part.bias[[u, k]] = 0
        first.weight[u, inputs + index, 1, 1] = 1
        shortcut.weight[u, shortcut.in_channels - width + u] = 1
        shortcut.bias[k] = constant
        unet.conv_norm_out.bias[[u, k]] = offset
        unet.conv_out.weight[index, u, 1, 1] += -constant / 2 / slope
        unet.conv_out.weight[index, k, 1, 1] += constant / 2 / slope
    unet.conv_out.bias.fill_(-constant)


def train(
    patches: Patches,
    photos: list[np.ndarray],
    run: Path,
    config: UnetConfig = UnetConfig(),
    start: Path | None = None,
    held_out: list[np.ndarray] | None = None,
) -> Denoiser:
    """Trains, or goes on from the last checkpoint; returns the averaged weights.

    start: a model folder whose weights a new run begins with.
    """
    torch.manual_seed(config.seed)
    model = Denoiser(config)
    if start:
        load_weights(model, start)
    steps = Steps("unet", run, model, split(model), config, muon=3.0, log_every=25, save_every=250)
    if steps.first:
        torch.manual_seed(config.seed + steps.first)

    pool: Pool | None = None
    for step, done in steps:
        strips = done < config.strip_share
        width = config.strip if strips else config.size[1]
        if pool is None or pool.shape["width"] != width:
            pool = filled_pool(patches, photos, config, config.seed + step, width)
        pool.renew()
        batch = pool.draw(config.strip_clips if strips else config.clips)
        loss = loss_of(model, batch, config)
        norm = steps.learn(loss)
        saved = steps.note(step, loss=loss.item(), norm=norm)
        if saved and held_out:
            ratio = still_ratio(steps.average, model, patches, held_out, config)
            print("unet: error against a still video's,", ratio)
    return model.eval()


def loss_of(model: Denoiser, batch: Batch, config: UnetConfig) -> torch.Tensor:
    """EDM's weighted loss of one batch."""
    sigma = draw_sigmas(len(batch.clean), config.noise)
    noisy = batch.clean + sigma * torch.randn_like(batch.clean)
    with autocast():
        output = model(batch, noisy, sigma, config.drop).float()
    return (output - target(batch.clean, noisy, sigma)).square().mean()


def filled_pool(patches: Patches, photos: list[np.ndarray], config: UnetConfig, seed: int, width: int) -> Pool:
    """Return a pool with the first clips, `width` pixels wide."""
    pool = Pool(patches, photos, config.pool, seed, frames=config.frames, height=config.size[0], width=width)
    pool.spread = config.spread
    while len(pool.clips) < config.first_clips:
        pool.renew()
    return pool


def load_weights(model: Denoiser, folder: Path) -> None:
    """The UNet's and the image encoder's weights from a diffusers folder of this architecture."""
    for part in ("unet", "image_encoder"):
        module = getattr(model, part)
        kept = type(module).from_pretrained(folder, subfolder=part, dtype=torch.float32)
        module.load_state_dict(kept.state_dict())


@torch.no_grad()
def still_ratio(
    average: Average, model: Denoiser, patches: Patches, held_out: list[np.ndarray], config: UnetConfig
) -> dict[float, float]:
    """{σ: squared error of the averaged weights over that of simply repeating the photo}, on photos never trained on.

    1 = it has learned nothing about motion; at strong noise it measures what the model knows from its conditions alone.
    """
    training = {name: value.detach().clone() for name, value in model.named_parameters()}
    average.copy_to(model.eval())
    batch = filled_pool(patches, held_out, replace(config, first_clips=12), 5, config.size[1]).draw(12)
    still = (batch.conditioning[:, None] - batch.clean).square().mean()
    generator, ratios = torch.Generator().manual_seed(0), {}
    for level in (100.0, 10.0, 1.0):
        sigma = torch.full((4, 1, 1, 1, 1), level)
        errors = []
        for part in (slice(0, 4), slice(4, 8), slice(8, 12)):
            some = Batch(batch.clean[part], batch.conditioning[part], batch.picture[part], batch.ids[part])
            noisy = some.clean + sigma * torch.randn(some.clean.shape, generator=generator)
            with autocast():
                output = model(some, noisy, sigma).float()
            errors.append((denoised(output, noisy, sigma) - some.clean).square().mean())
        ratios[level] = round(float(torch.stack(errors).mean() / still), 3)
    for name, parameter in model.train().named_parameters():
        parameter.copy_(training[name])
    return ratios
