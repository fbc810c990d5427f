"""Ways to draw a clip longer than the model's window, for bench/quality.py: ours, and those it was chosen over."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from fanslymotion.pipeline.families.base import VideoModel, Window
from fanslymotion.pipeline.families.noise import draw, window_generator
from fanslymotion.pipeline.sampling.euler import denoise
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from PIL import Image

Method = Callable[[VideoModel, SamplingParams, Image.Image], tuple[torch.Tensor, WindowPlan]]
"""(loaded, clip, photo of the sampling size) -> latents (1, n ≥ plan.total, channels, h, w) and the windows used."""


class Forget:
    """A checkpoints that keeps nothing."""

    def step(self, state: SamplingState) -> None:
        pass

    def now(self, state: SamplingState) -> None:
        pass


def windows(**changes: Any) -> Method:
    """The product's own windows, with some of their options changed."""

    def run(loaded: VideoModel, clip: SamplingParams, photo: Image.Image) -> tuple[torch.Tensor, WindowPlan]:
        clip = replace(clip, options=replace(clip.options, **changes))
        return sample_clip(loaded, clip, begin(loaded, clip, photo), checkpoints=Forget()), clip.plan

    return run


def chained(loaded: VideoModel, clip: SamplingParams, photo: Image.Image) -> tuple[torch.Tensor, WindowPlan]:
    """Last-frame chaining: each clip starts from the last frame of the one before and knows nothing else of it."""
    frames = clip.plan.frames
    count = 1 + -(-(clip.plan.total - frames) // (frames - 1))
    plan = WindowPlan(clip.plan.total, frames, count, 1)
    options = WindowOptions(pin="start", condition="last", guidance_cap=None)
    clip = replace(clip, plan=plan, options=options)
    return sample_clip(loaded, clip, begin(loaded, clip, photo), checkpoints=Forget()), plan


def co_denoised(loaded: VideoModel, clip: SamplingParams, photo: Image.Image) -> tuple[torch.Tensor, WindowPlan]:
    """All windows take each step together and agree on the mean where they overlap (as MimicMotion does with poses)."""
    plan = clip.plan
    state = begin(loaded, clip, photo)
    schedule = loaded.schedule(clip.steps, clip.schedule, clip.plan.frames, clip.width, clip.height)
    generator = window_generator(clip.seed, 1)
    window = Window(schedule, clip.guidance, None, None, lambda _: torch.empty(0))
    denoiser = loaded.denoiser(state.conditioning, clip.family_options, window)
    drawn = partial(draw, generator=generator, dtype=loaded.dtype, device=loaded.device)
    x = loaded.noise(plan.sampled, clip.width, clip.height, drawn) * schedule.init_sigma
    weight = torch.minimum(torch.arange(1, plan.frames + 1), torch.arange(plan.frames, 0, -1)).float()
    for i in range(schedule.steps):
        total, share = torch.zeros_like(x), torch.zeros(plan.sampled)
        for window in range(plan.count):
            at = slice(plan.start(window), plan.start(window) + plan.frames)
            part = denoise(denoiser, x[:, at], schedule.sigmas[i : i + 2])
            total[:, at] += part * weight.view(1, -1, 1, 1, 1)
            share[at] += weight
        x = total / share.view(1, -1, 1, 1, 1)
    return x, plan


METHODS: dict[str, Method] = {
    "ours": windows(),
    "pinned at every step": windows(pin="every_step", condition="overlap"),
    "ours, matched 0.5": windows(match=0.5),
    "ours, noise 0.05": windows(noise_aug=0.05),
    "conditioned on photo": windows(condition="photo"),
    "conditioned on last": windows(condition="last"),
    "start only, cross-fade": windows(pin="start"),
    "co-denoised": co_denoised,
    "last-frame chaining": chained,
}
