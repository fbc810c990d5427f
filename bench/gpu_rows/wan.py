"""Row `wan`: Wan 2.2 TI2V-5B, in six of its fifty steps."""

from pathlib import Path
from typing import Any

from fanslymotion.bench.full_size import build_wan
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.wan import random_model
from fanslymotion.pipeline.families.wan.folder import FOLDERS, STRIDE
from fanslymotion.pipeline.families.wan.model import load
from fanslymotion.pipeline.families.wan.options import WanOptions
from fanslymotion.pipeline.families.wan.prompts import NEGATIVE, PROMPT_EMBEDS, encode, padded
from fanslymotion.pipeline.sampling.windowed import SamplingParams
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan

from .flow import PROMPT, Subject, Tensors, measure
from .harness import SEED, Bench, Figures

AGAINST = "blurred, still"
SHIFT, GUIDANCE, STEPS = 5.0, 5.0, 6


class Wan(Subject):
    """See `Subject`."""

    name, folders, build, build_tiny = "wan", FOLDERS, staticmethod(build_wan), staticmethod(random_model.build)
    stride, tiny_frames, chunk, steps = STRIDE, 17, 4, STEPS
    limits = (80, 24, 12, 8, 16)

    def encode(self, folder: Path, placement: Placement) -> Tensors:
        return encode(folder, PROMPT, AGAINST, placement).tensors

    def load(self, model: ModelFolder, placement: Placement) -> Any:
        return load(model, placement)

    def clip(self, loaded: Any, frames: int) -> SamplingParams:
        preset, latent = loaded.model.preset, (frames - 1) // self.stride + 1
        return SamplingParams(
            width=preset.width,
            height=preset.height,
            seed=SEED,
            steps=STEPS,
            schedule="flow",
            guidance=Guidance(GUIDANCE, GUIDANCE),
            family_options=WanOptions(PROMPT, AGAINST, SHIFT, "unipc"),
            plan=WindowPlan(latent, latent, 1, 0),
            options=WindowOptions(guidance_cap=None),
        )

    def stock(self, loaded: Any, clip: SamplingParams, prompt: Tensors, frames: int, given: dict[str, Any]) -> Any:
        from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline
        from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

        scheduler: Any = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT
        )
        made: Any = WanImageToVideoPipeline(
            tokenizer=None,  # pyright: ignore[reportArgumentType]
            text_encoder=None,  # pyright: ignore[reportArgumentType]
            vae=loaded.vae,
            scheduler=scheduler,
            transformer=loaded.transformer,
            expand_timesteps=True,
        )
        made.set_progress_bar_config(disable=True)
        prompt = {name: padded(one, loaded.dtype).to(loaded.device) for name, one in prompt.items()}
        found = made(
            prompt_embeds=prompt[PROMPT_EMBEDS],
            negative_prompt_embeds=prompt[NEGATIVE],
            guidance_scale=GUIDANCE,
            **given,
        )
        return found.frames.transpose(1, 2)


def wan(bench: Bench, figures: Figures) -> None:
    measure(Wan(), bench, figures)
