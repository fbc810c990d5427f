"""Row `ltx`: LTX-Video 2B."""

from pathlib import Path
from typing import Any

import torch
from fanslymotion.bench.full_size import build_ltx
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.ltx import random_model
from fanslymotion.pipeline.families.ltx.folder import FOLDERS
from fanslymotion.pipeline.families.ltx.model import load
from fanslymotion.pipeline.families.ltx.options import LtxOptions
from fanslymotion.pipeline.families.ltx.prompts import MASK, PROMPT_EMBEDS, encode
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.sampling.windowed import SamplingParams
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan

from .flow import PROMPT, Subject, Tensors, measure
from .harness import SEED, Bench, Figures


class Ltx(Subject):
    """See `Subject`."""

    name, folders, build, build_tiny = "ltx", FOLDERS, staticmethod(build_ltx), staticmethod(random_model.build)
    stride, tiny_frames, chunk, steps = 8, 33, 33, 0
    limits = (80, 24, 12, 8, 16)

    def encode(self, folder: Path, placement: Placement) -> Tensors:
        return encode(folder, PROMPT, placement).tensors

    def load(self, model: ModelFolder, placement: Placement) -> Any:
        return load(model, placement)

    def clip(self, loaded: Any, frames: int) -> SamplingParams:
        preset, latent = loaded.model.preset, (frames - 1) // self.stride + 1
        return SamplingParams(
            width=preset.width,
            height=preset.height,
            seed=SEED,
            steps=len(SIGMAS),
            schedule="fixed",
            guidance=Guidance(1.0, 1.0),
            family_options=LtxOptions(prompt=PROMPT, fps=24, sigmas=SIGMAS),
            plan=WindowPlan(latent, latent, 1, 0),
            options=WindowOptions(),
        )

    def stock(self, loaded: Any, clip: SamplingParams, prompt: Tensors, frames: int, given: dict[str, Any]) -> Any:
        """At our noise levels: the pipeline has no argument for them that is not shifted."""
        from diffusers.pipelines.ltx.pipeline_ltx_image2video import LTXImageToVideoPipeline
        from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

        scheduler: Any = FlowMatchEulerDiscreteScheduler.from_config({"use_dynamic_shifting": False, "shift": 1.0})
        plain = scheduler.set_timesteps
        scheduler.set_timesteps = lambda *_, sigmas=None, device=None, **__: plain(sigmas=list(SIGMAS), device=device)
        made: Any = LTXImageToVideoPipeline(
            scheduler=scheduler,
            vae=loaded.vae,
            transformer=loaded.transformer,
            text_encoder=None,  # pyright: ignore[reportArgumentType]
            tokenizer=None,  # pyright: ignore[reportArgumentType]
        )
        made.set_progress_bar_config(disable=True)
        latents: torch.Tensor = made(
            prompt_embeds=prompt[PROMPT_EMBEDS].to(loaded.device, loaded.dtype),
            prompt_attention_mask=prompt[MASK].to(loaded.device),
            frame_rate=24,
            guidance_scale=1.0,
            **given,
        ).frames
        size = (1, clip.plan.frames, clip.height // 32, clip.width // 32, -1)
        return latents.reshape(size).permute(0, 1, 4, 2, 3)


def ltx(bench: Bench, figures: Figures) -> None:
    measure(Ltx(), bench, figures)
