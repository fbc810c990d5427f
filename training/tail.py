"""The decoder's last block by itself, on features kept from the others: where most of the border's error is mended.

The convolutions' zero padding darkens a picture's outermost pixels. The last block can learn to make up for it (its
own padding tells it where the border is), and it needs a third of a whole step's time for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from common import Average, learning_rate
from diffusers import AutoencoderKLTemporalDecoder
from torch import nn

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Tail(nn.Module):
    """The parts of a TemporalDecoder behind its last but one block, as its `forward` runs them."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.block, self.norm, self.act = decoder.up_blocks[-1], decoder.conv_norm_out, decoder.conv_act
        self.out, self.time = decoder.conv_out, decoder.time_conv_out

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(T, C, H, W) features of one clip to (T, 3, H, W) pixels."""
        still = torch.zeros(1, len(features))
        frames = self.out(self.act(self.norm(self.block(features, still))))
        return self.time(frames.transpose(0, 1)[None])[0].transpose(0, 1)


@torch.no_grad()
def features_of(vae: AutoencoderKLTemporalDecoder, latents: torch.Tensor) -> torch.Tensor:
    """What the last block is given for the latents (T, L, h, w) of one clip."""
    kept: list[torch.Tensor] = []
    hook = vae.decoder.up_blocks[-1].register_forward_pre_hook(lambda _, given: kept.append(given[0]))
    vae.decode(latents, num_frames=len(latents))
    hook.remove()
    return kept[0]


def train(
    vae: AutoencoderKLTemporalDecoder,
    draw: Callable[[], tuple[torch.Tensor, torch.Tensor]],
    loss_of: Loss,
    minutes: float,
    clips: int,
    peak_rate: float = 1.5e-3,
    seed: int = 0,
) -> None:
    """Trains the last block for `minutes` on `clips` clips. draw: gives (latents, pixels) of one clip."""
    drawn = [draw() for _ in range(clips)]
    pairs = [(features_of(vae, latents), pixels) for latents, pixels in drawn]
    tail, rng = Tail(vae.decoder), np.random.default_rng(seed)
    average = Average(tail, 0.99)
    optimiser = torch.optim.AdamW(tail.parameters(), lr=peak_rate, betas=(0.9, 0.98))
    begun, step = time.perf_counter(), 0
    while (done := (time.perf_counter() - begun) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, done, peak_rate, warm_up=30)
        features, pixels = pairs[rng.integers(clips)]
        loss = loss_of(tail(features), pixels)
        loss.backward()
        nn.utils.clip_grad_norm_(tail.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        average.update(tail)
        step += 1
    average.copy_to(tail)
    print("vae: the last block took", step, "steps", flush=True)
