"""Stage 2: the UNet (diffusers' UNetSpatioTemporalConditionModel) and the CLIP vision encoder, trained together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from common import Average, Log, learning_rate, load_checkpoint, save_checkpoint
from diffusers import UNetSpatioTemporalConditionModel
from edm import NoiseConfig, draw_sigmas, target, unet_input
from latents import Batch, Pool
from patches import PATCH, Patches
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection


@dataclass(frozen=True)
class UnetConfig:
    channels: tuple[int, ...] = (64, 96)  # 64: two for each of GroupNorm's 32 groups, see `start_still`
    latents: int = 16
    embedding: int = 64  # CLIP's projection and the cross-attention's width
    frames: int = 14
    size: tuple[int, int] = (144, 256)  # pixels: height, width
    steps: int = 6000
    minutes: float = 120.0  # the run ends here at the latest, its schedule scaled to it
    clips: int = 2  # a step
    peak_rate: float = 1e-3
    pool: int = 600  # clips
    first_clips: int = 60
    drop: float = 0.1  # chance to drop CLIP, the conditioning latents, or both: what CFG needs
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


def train(patches: Patches, photos: list[np.ndarray], run: Path, config: UnetConfig = UnetConfig()) -> Denoiser:
    """Trains, or goes on from the last checkpoint; returns the averaged weights."""
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    model = Denoiser(config)
    average, log = Average(model, 0.995), Log(run, "unet", every=25)
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.peak_rate, betas=(0.9, 0.98), weight_decay=1e-3)
    first, spent = 0, 0.0
    state = load_checkpoint(run / "unet.pt")
    if state:
        model.load_state_dict(state["weights"])
        optimiser.load_state_dict(state["optimiser"])
        average.shadow, average.step = state["average"], state["step"]
        first, spent = state["step"], state["spent"]
        torch.manual_seed(config.seed + first)

    pool = Pool(
        patches,
        photos,
        config.pool,
        config.seed + first,
        frames=config.frames,
        height=config.size[0],
        width=config.size[1],
    )
    pool.load(run / "pool.pt")
    while len(pool.clips) < config.first_clips:
        pool.renew()
    pool.save(run / "pool.pt")

    for step in range(first, config.steps):
        begun = time.perf_counter()
        done = max(step / config.steps, spent / (60 * config.minutes))
        if done >= 1:
            break
        pool.renew()
        batch = pool.draw(config.clips)
        rate = learning_rate(step, done, config.peak_rate)
        for group in optimiser.param_groups:
            group["lr"] = rate
        sigma = draw_sigmas(len(batch.clean), config.noise)
        noisy = batch.clean + sigma * torch.randn_like(batch.clean)
        with torch.autocast("cpu", torch.bfloat16):
            output = model(batch, noisy, sigma, config.drop).float()
        loss = (output - target(batch.clean, noisy, sigma)).square().mean()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average.update(model)
        spent += time.perf_counter() - begun
        log.add(step + 1, loss=loss.item(), norm=norm.item())
        if (step + 1) % 250 == 0:
            save_checkpoint(
                run / "unet.pt",
                weights=model.state_dict(),
                average=average.shadow,
                step=step + 1,
                optimiser=optimiser.state_dict(),
                spent=spent,
            )
            pool.save(run / "pool.pt")
            log.draw()
    average.copy_to(model)
    return model.eval()
