"""Row `ltx`: LTX-Video 2B at its full size, against the stock pipeline and on smaller cards."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from fanslymotion.bench.full_size import build_ltx
from fanslymotion.pipeline.checkpoint import Checkpoints
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.ltx import random_model
from fanslymotion.pipeline.families.ltx.folder import FOLDERS, SIGMAS
from fanslymotion.pipeline.families.ltx.model import LtxModel, load
from fanslymotion.pipeline.families.ltx.options import LtxOptions
from fanslymotion.pipeline.families.ltx.words import MASK, WORDS, encode
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.media.photo.load import load_photo
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from PIL import Image

from .harness import PHOTO, SEED, Bench, Figures, StepClock, difference, free, peaks, reset_peak, timed
from .jobs import Asked, each
from .ours import resumed, sample

PROMPT = "A lighthouse on a cliff, waves roll in, gulls in the wind."
STRIDE = 8
LIMITS = (80, 24, 12, 8, 16)
"""GiB of the card, in order of value."""


def ltx(bench: Bench, figures: Figures) -> None:
    folder = bench.model.with_name(f"{bench.model.name}-ltx")
    with figures.part("weights") as part:
        part["seconds"], _ = timed(lambda: (random_model.build if bench.tiny else build_ltx)(folder))
        part["gib"] = round(sum(path.stat().st_size for path in folder.rglob("*.safetensors")) / 2**30, 2)
    model = ModelFolder(FOLDERS.preset(folder), folder)
    placement = Placement(bench.device, torch.bfloat16 if bench.cuda else torch.float32, Offload.NONE)
    with figures.part("prompt") as part:
        part["seconds"], words = timed(lambda: encode(folder, PROMPT, placement))
        part.update(peaks())
    free()
    seconds, renderer = timed(lambda: load(model, placement))
    figures.put(load_s=seconds)
    _whole_window(bench, figures, renderer, words.tensors)
    del renderer
    free()
    request = VideoRequest(
        resolution="480p" if bench.tiny else "720p",
        seconds=6,
        quality="standard" if bench.tiny else "sampled",
        model=str(folder),
        seed=SEED,
        prompt=PROMPT,
        detail=False,
    )
    each(bench, figures, (8,) if bench.tiny else LIMITS, Asked(request))


def _whole_window(bench: Bench, figures: Figures, renderer: LtxModel, words: dict[str, torch.Tensor]) -> None:
    """The longest window of the model, all its steps."""
    preset = renderer.model.preset
    frames = 33 if bench.tiny else preset.frames
    latent = (frames - 1) // STRIDE + 1
    clip = SamplingParams(
        width=preset.width,
        height=preset.height,
        seed=SEED,
        steps=len(SIGMAS),
        schedule="fixed",
        guidance=Guidance(1.0, 1.0),
        motion=LtxOptions(prompt=PROMPT, fps=24, sigmas=SIGMAS),
        plan=WindowPlan(latent, latent, 1, 0),
        options=WindowOptions(),
    )
    photo = fit_photo(load_photo(PHOTO), (preset.width, preset.height), "crop")
    state, found = begin(renderer, clip, photo, words), torch.zeros(0)
    with figures.part("sampling") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        reset_peak()
        found, steps = sample(renderer, clip, state, Checkpoints(Path(kept), "bench"))
        part.update(steps, **peaks(), finite=bool(torch.isfinite(found).all()))
    with figures.part("resume") as part, tempfile.TemporaryDirectory(dir=bench.work) as kept:
        part.update(resumed(renderer, clip, state, found, Path(kept)))
    free()
    with figures.part("stock") as part:
        reset_peak()
        latents, steps = _stock(renderer, clip, photo, words, frames)
        part.update(steps, **peaks(), **difference(found, latents))
    free()
    for chunk in (frames, 33):
        with figures.part(f"decode chunk {chunk}") as part:
            reset_peak()
            part["seconds"], part["frames"] = timed(
                lambda chunk=chunk: sum(len(some) for some in renderer.decode(found, chunk, seed=SEED))
            )
            part.update(peaks())
        free()


def _stock(
    renderer: LtxModel, clip: SamplingParams, photo: Image.Image, words: dict[str, torch.Tensor], frames: int
) -> tuple[torch.Tensor, dict[str, Any]]:
    """The latents of diffusers' pipeline at our noise levels, and what each step took."""
    from diffusers.pipelines.ltx.pipeline_ltx_image2video import LTXImageToVideoPipeline
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    scheduler: Any = FlowMatchEulerDiscreteScheduler.from_config({"use_dynamic_shifting": False, "shift": 1.0})
    plain, clock = scheduler.set_timesteps, []

    def levels(*_: Any, sigmas: Any = None, device: Any = None, **__: Any) -> None:
        plain(sigmas=list(SIGMAS), device=device)
        clock.append(StepClock())

    scheduler.set_timesteps = levels
    made: Any = LTXImageToVideoPipeline(
        scheduler=scheduler,
        vae=renderer.vae,
        transformer=renderer.transformer,
        text_encoder=None,  # pyright: ignore[reportArgumentType]
        tokenizer=None,  # pyright: ignore[reportArgumentType]
    )
    made.set_progress_bar_config(disable=True)

    def tick(pipe: Any, step: int, time: Any, kept: dict[str, Any]) -> dict[str, Any]:
        clock[0].tick()
        return kept

    latents = made(
        image=photo,
        prompt_embeds=words[WORDS].to(renderer.device, renderer.dtype),
        prompt_attention_mask=words[MASK].to(renderer.device),
        height=clip.height,
        width=clip.width,
        num_frames=frames,
        frame_rate=24,
        num_inference_steps=clip.steps,
        guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(clip.seed),
        output_type="latent",
        callback_on_step_end=tick,
    ).frames
    size = (1, clip.plan.frames, clip.height // 32, clip.width // 32, -1)
    return latents.reshape(size).permute(0, 1, 4, 2, 3), clock[0].figures
