"""Clips as the trained UNet draws them, with the pixels that they should be: what a decoder will have to do with.

A clip's latents get noise of some level, and the UNet takes it away in the usual steps from there. What is left
differs from the truth as a finished sampling does, and is still where the truth is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from camera import swaying_clip
from fanslymotion.pipeline.families.base import Window
from fanslymotion.pipeline.families.placement import choose_placement
from fanslymotion.pipeline.families.svd.conditioning import MicroConditioning
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, load
from fanslymotion.pipeline.sampling.euler import Guidance, denoise
from patches import PATCH, Patches
from PIL import Image

STEPS = 8
"""Of the whole schedule, of which the last ones are taken."""
MOST_NOISE = 30.0
"""The highest level begun with: from there on the clip's layout is settled."""


class DrawnClips:
    """`count` clips of random photos under a swaying camera, drawn once and cropped often."""

    def __init__(self, folder: Path, patches: Patches, photos: list[np.ndarray], count: int, seed: int) -> None:
        model = load(ModelFolder(folder_preset(folder), folder), choose_placement())
        self.rng = np.random.default_rng(seed)
        self.clips = [self._drawn(model, patches, photos) for _ in range(count)]

    def _drawn(
        self, model: LoadedModel, patches: Patches, photos: list[np.ndarray]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(T, L, h, w) latents and (T, 3, 8h, 8w) uint8 pixels of one clip."""
        video, bucket, fps = swaying_clip(photos, self.rng)
        pixels = torch.from_numpy(video).permute(0, 3, 1, 2)
        generator = torch.Generator().manual_seed(int(self.rng.integers(2**31)))
        options = MicroConditioning(fps=round(fps), bucket=round(bucket), noise_aug=0.02)
        conditioning = model.encode(Image.fromarray(video[0]), options, generator)
        schedule = model.schedule(STEPS, "karras", len(video), *video.shape[2:0:-1])
        low = int((schedule.sigmas > MOST_NOISE).sum())
        first = int(self.rng.integers(low, STEPS - 1))
        window = Window(schedule, Guidance(1.0, 1.0), None, None, lambda shape: torch.randn(shape, generator=generator))
        clean = patches.encode(pixels.float() / 127.5 - 1)[None]
        noisy = clean + schedule.sigmas[first] * torch.randn(clean.shape, generator=generator)
        made = denoise(model.denoiser(conditioning, options, window), noisy, schedule.sigmas, first=first)
        return made[0], pixels

    def draw(self, count: int, frames: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `count` crops of `frames` frames, `size` pixels square: (N*T, L, S/8, S/8) and (N*T, 3, S, S)."""
        given, wanted = [], []
        for _ in range(count):
            latents, pixels = self.clips[self.rng.integers(len(self.clips))]
            start = self.rng.integers(len(latents) - frames + 1)
            y, x = (self.rng.integers(latents.shape[axis] - size // PATCH + 1) for axis in (2, 3))
            given.append(latents[start : start + frames, :, y : y + size // PATCH, x : x + size // PATCH])
            y, x = y * PATCH, x * PATCH
            wanted.append(pixels[start : start + frames, :, y : y + size, x : x + size])
        return torch.cat(given), torch.cat(wanted).float() / 127.5 - 1
