"""One window, the same seed, the same weights: the latents of the stock WanImageToVideoPipeline, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline
from diffusers.schedulers import scheduling_flow_match_euler_discrete
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from fanslymotion.bench.checkpoint_sinks import Nowhere
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.nan_checks import NotFinite
from fanslymotion.pipeline.families.noise import draw, step_generator
from fanslymotion.pipeline.families.placement import Placement, choose_placement
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.families.wan.folder import FASTWAN, FOLDERS, NEGATIVE_PROMPT
from fanslymotion.pipeline.families.wan.model import WanModel, load
from fanslymotion.pipeline.families.wan.options import WanOptions
from fanslymotion.pipeline.families.wan.prompts import NEGATIVE, PROMPT_EMBEDS, TOKENS, encode, padded
from fanslymotion.pipeline.families.weights.compiling import Compiler
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from fanslymotion.presets import Sampling
from fanslymotion.tests.soak import soak
from PIL import Image

PROMPT = "A  red car drives along the “coast” &amp; stops. Кошка мяукает."
FRAMES = 17
CLIP = SamplingParams(
    width=64,
    height=32,
    seed=1234,
    steps=6,
    schedule="flow",
    guidance=Guidance(5.0, 5.0),
    family_options=WanOptions(PROMPT, NEGATIVE_PROMPT, 5.0, "unipc"),
    plan=WindowPlan(5, 5, 1, 0),
    options=WindowOptions(guidance_cap=None),
)


def ours(model: WanModel, photo: Image.Image, clip: SamplingParams = CLIP) -> torch.Tensor:
    words = encode(model.model.folder, PROMPT, NEGATIVE_PROMPT, model.placement)
    return sample_clip(model, clip, begin(model, clip, photo, words.tensors), checkpoints=Nowhere())


def pipeline(model: WanModel) -> WanImageToVideoPipeline:
    folder = model.model.folder
    made = WanImageToVideoPipeline(
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder / "tokenizer"),
        text_encoder=transformers.UMT5EncoderModel.from_pretrained(folder / "text_encoder", dtype=model.dtype),
        vae=model.vae,
        scheduler=UniPCMultistepScheduler.from_pretrained(folder, subfolder="scheduler"),
        transformer=model.transformer,
        expand_timesteps=True,
    )
    made.set_progress_bar_config(disable=True)
    return made


def stock(model: WanModel, photo: Image.Image, clip: SamplingParams = CLIP) -> torch.Tensor:
    found = pipeline(model)(
        image=photo,
        prompt=PROMPT,
        negative_prompt=NEGATIVE_PROMPT,
        height=clip.height,
        width=clip.width,
        num_frames=FRAMES,
        num_inference_steps=clip.steps,
        guidance_scale=clip.guidance.last,
        generator=torch.Generator("cpu").manual_seed(clip.seed),
        output_type="latent",
    ).frames
    assert isinstance(found, torch.Tensor)
    return found.transpose(1, 2)


@pytest.mark.parametrize("guidance", [5.0, 4.7, 1.0])
@pytest.mark.parametrize("steps", [1, 6])
def test_latents(wan: WanModel, smaller_photo: Image.Image, guidance: float, steps: int) -> None:
    clip = replace(CLIP, guidance=Guidance(guidance, guidance), steps=steps)
    assert torch.equal(ours(wan, smaller_photo, clip), stock(wan, smaller_photo, clip))


def test_latents_in_bf16(tiny_wan: Path, smaller_photo: Image.Image) -> None:
    """As a graphics card computes; the latents stay float32 between the steps."""
    model = load(ModelFolder(FOLDERS.preset(tiny_wan), tiny_wan), Placement(torch.device("cpu"), torch.bfloat16))
    clip = replace(CLIP, guidance=Guidance(4.7, 4.7))
    found = ours(model, smaller_photo, clip)
    assert found.dtype == torch.float32
    assert torch.equal(found, stock(model, smaller_photo, clip))


@pytest.mark.parametrize("offload", [Offload.GROUP, *soak(Offload.MODEL, Offload.SEQUENTIAL)])
def test_offload_changes_no_number(tiny_wan: Path, wan: WanModel, smaller_photo: Image.Image, offload: Offload) -> None:
    placement = Placement(wan.device, wan.dtype, offload)
    model = load(ModelFolder(FOLDERS.preset(tiny_wan), tiny_wan), placement)
    assert torch.equal(ours(model, smaller_photo), ours(wan, smaller_photo))


@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_words(wan: WanModel, prompt: str) -> None:
    """Cleaned, encoded, cut to their own length and followed by zeros, as in the stock pipeline."""
    with torch.no_grad():
        wanted = pipeline(wan)._get_t5_prompt_embeds([prompt, NEGATIVE_PROMPT], max_sequence_length=TOKENS)
    found = encode(wan.model.folder, prompt, NEGATIVE_PROMPT, choose_placement())
    assert torch.equal(padded(found.tensors[PROMPT_EMBEDS], torch.float32)[0], wanted[0])
    assert torch.equal(padded(found.tensors[NEGATIVE], torch.float32)[0], wanted[1])
    assert found.cut == ""


def test_decoded_frames(wan: WanModel, flow_photo: Image.Image) -> None:
    """Frame by frame as they come, and all at once in the stock pipeline: the same pixels."""
    latents = ours(wan, flow_photo, replace(CLIP, width=128, height=64))
    mean = torch.tensor(wan.vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = 1.0 / torch.tensor(wan.vae.config.latents_std).view(1, -1, 1, 1, 1)
    with torch.no_grad():
        video = wan.vae.decode(latents.transpose(1, 2) / std + mean, return_dict=False)[0]
    expected = pipeline(wan).video_processor.postprocess_video(video, output_type="np")[0]
    found = list(wan.decode(latents, 4))
    assert [len(part) for part in found] == [1, 4, 4, 4, 4]
    assert np.array_equal(np.concatenate(found), (expected * 255).round().astype(np.uint8))


def test_noise_levels(wan: WanModel) -> None:
    for shift in (1.0, 3.0, 5.0):
        for steps in (1, 4, 25, 50, 100):
            scheduler = UniPCMultistepScheduler(
                prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift
            )
            scheduler.set_timesteps(steps)
            sampling = wan.model.preset.sampling.model_copy(update={"shift": shift})
            preset = wan.model.preset.model_copy(update={"sampling": sampling})
            model = replace(wan, model=replace(wan.model, preset=preset))
            found = model.schedule(steps, "flow", 5, 64, 32)
            assert torch.equal(found.sigmas, scheduler.sigmas)
            assert torch.equal(found.timesteps, scheduler.timesteps.float())


def test_euler_is_diffusers_own(wan: WanModel, smaller_photo: Image.Image) -> None:
    """The preset may choose the step without a history."""
    sampling = wan.model.preset.sampling.model_copy(update={"solver": "euler"})
    preset = wan.model.preset.model_copy(update={"sampling": sampling})
    model = replace(wan, model=replace(wan.model, preset=preset))
    made = pipeline(model)
    scheduler = made.scheduler
    scheduler.set_timesteps(CLIP.steps)
    levels, times = scheduler.sigmas, scheduler.timesteps.float()
    euler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    euler.set_timesteps = lambda *_, **__: None  # type: ignore[method-assign]
    euler.sigmas, euler.timesteps = levels, times
    made.scheduler = euler
    wanted = made(
        image=smaller_photo,
        prompt=PROMPT,
        negative_prompt=NEGATIVE_PROMPT,
        height=32,
        width=64,
        num_frames=FRAMES,
        num_inference_steps=CLIP.steps,
        guidance_scale=5.0,
        generator=torch.Generator("cpu").manual_seed(CLIP.seed),
        output_type="latent",
    ).frames
    assert torch.equal(ours(model, smaller_photo), wanted.transpose(1, 2))


def test_fresh_noise_at_each_level_is_diffusers_own(
    wan: WanModel, smaller_photo: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FastWan samples: diffusers' scheduler with `stochastic_sampling`, which draws the same noise here."""
    preset = wan.model.preset.model_copy(update={"sampling": Sampling.model_validate(FASTWAN)})
    model = replace(wan, model=replace(wan.model, preset=preset))
    clip = replace(CLIP, steps=3, guidance=Guidance(1.0, 1.0))
    schedule = model.schedule(3, "fixed", 5, 64, 32)
    assert schedule.timesteps.tolist() == pytest.approx([1000.0, 757.0, 522.0])
    steps = iter(range(3))

    def drawn(shape: torch.Size, **_: Any) -> torch.Tensor:
        generator = step_generator(clip.seed, 0, next(steps))
        frames_first = (shape[0], shape[2], shape[1], *shape[3:])
        return draw(frames_first, generator, torch.float32, wan.device).transpose(1, 2)

    monkeypatch.setattr(scheduling_flow_match_euler_discrete, "randn_tensor", drawn)
    made = pipeline(model)
    stochastic = FlowMatchEulerDiscreteScheduler(shift=1.0, stochastic_sampling=True)
    stochastic.set_timesteps = lambda *_, **__: None  # type: ignore[method-assign]
    stochastic.sigmas, stochastic.timesteps = schedule.sigmas, schedule.timesteps
    made.scheduler = stochastic
    wanted = made(
        image=smaller_photo,
        prompt=PROMPT,
        height=32,
        width=64,
        num_frames=FRAMES,
        num_inference_steps=3,
        guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(clip.seed),
        output_type="latent",
    ).frames
    assert torch.equal(ours(model, smaller_photo, clip), wanted.transpose(1, 2))


def test_guidance_may_end_where_little_noise_is_left(wan: WanModel, smaller_photo: Image.Image) -> None:
    whole, none = ours(wan, smaller_photo), ours(wan, smaller_photo, replace(CLIP, guidance=Guidance(1.0, 1.0)))
    half = ours(wan, smaller_photo, replace(CLIP, effort=Effort(guidance_above=0.9)))
    assert not torch.equal(half, whole)
    assert not torch.equal(half, none)
    assert torch.equal(ours(wan, smaller_photo, replace(CLIP, effort=Effort(guidance_above=1.0))), none)


def test_infinity_in_the_decoder_fails_the_job(tiny_wan: Path) -> None:
    """The stock decoder clamps it away."""
    model = load(ModelFolder(FOLDERS.preset(tiny_wan), tiny_wan), choose_placement())
    model.vae.decoder.conv_out.bias.data[0] = torch.inf
    with pytest.raises(NotFinite, match="the decoder gave numbers that are not finite"):
        list(model.decode(torch.zeros(1, 1, 48, 4, 8), 4))


@pytest.mark.soak
def test_compiled_blocks_give_the_same_latents(tiny_wan: Path, wan: WanModel, smaller_photo: Image.Image) -> None:
    """Each as one graph, on another compiler than inductor, which takes minutes: the numbers are the same."""
    model = load(ModelFolder(FOLDERS.preset(tiny_wan), tiny_wan), choose_placement())
    Compiler("eager").suit(model, family("wan").blocks, compiled=True)
    assert torch.equal(ours(model, smaller_photo), ours(wan, smaller_photo))
