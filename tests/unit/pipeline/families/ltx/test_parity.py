"""One window, the same seed, the same weights: the latents of the stock LTXImageToVideoPipeline, bit for bit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from diffusers.pipelines.ltx.pipeline_ltx_image2video import LTXImageToVideoPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from fanslymotion.bench.checkpoint_sinks import Nowhere
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.flow.text.text_encoder import compute_wide
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.ltx.folder import FOLDERS
from fanslymotion.pipeline.families.ltx.model import LtxModel, load
from fanslymotion.pipeline.families.ltx.options import LtxOptions
from fanslymotion.pipeline.families.ltx.prompts import MASK, PROMPT_EMBEDS, TOKENS, encode
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.families.ltx.vae import DECODE_NOISE, DECODE_TIMESTEP
from fanslymotion.pipeline.families.noise import purpose_generator
from fanslymotion.pipeline.families.placement import Placement, choose_placement
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from PIL import Image

PROMPT = "A red car drives along the coast. Кошка мяукает."
FRAMES = 33
CLIP = SamplingParams(
    width=128,
    height=64,
    seed=1234,
    steps=len(SIGMAS),
    schedule="fixed",
    guidance=Guidance(1.0, 1.0),
    family_options=LtxOptions(prompt=PROMPT, fps=12, sigmas=SIGMAS),
    plan=WindowPlan(5, 5, 1, 0),
    options=WindowOptions(),
)


def ours(model: LtxModel, photo: Image.Image, clip: SamplingParams = CLIP) -> torch.Tensor:
    words = encode(model.model.folder, PROMPT, model.placement)
    return sample_clip(model, clip, begin(model, clip, photo, words.tensors), checkpoints=Nowhere())


def pipeline(model: LtxModel) -> LTXImageToVideoPipeline:
    folder = model.model.folder
    made = LTXImageToVideoPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift=1.0, shift_terminal=None),
        vae=model.vae,
        text_encoder=transformers.T5EncoderModel.from_pretrained(folder / "text_encoder", dtype=model.dtype),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder / "tokenizer"),
        transformer=model.transformer,
    )
    made.set_progress_bar_config(disable=True)
    return made


def stock(model: LtxModel, photo: Image.Image, clip: SamplingParams = CLIP) -> torch.Tensor:
    """The stock pipeline with our noise levels: it passes its own to the scheduler, whose method is replaced here."""
    made = pipeline(model)
    scheduler = made.scheduler
    plain = scheduler.set_timesteps
    scheduler.set_timesteps = lambda *given, sigmas=None, mu=None, device=None, **_: plain(  # type: ignore[method-assign]
        sigmas=list(SIGMAS), device=device
    )
    found = made(
        image=photo,
        prompt=PROMPT,
        height=clip.height,
        width=clip.width,
        num_frames=FRAMES,
        frame_rate=clip.family_options.fps,
        num_inference_steps=clip.steps,
        guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(clip.seed),
        max_sequence_length=TOKENS,
        output_type="latent",
    ).frames
    assert isinstance(found, torch.Tensor)
    size = (1, clip.plan.frames, clip.height // 32, clip.width // 32, -1)
    return found.reshape(size).permute(0, 1, 4, 2, 3)


@pytest.mark.parametrize("fps", [12, 24])
def test_latents(ltx: LtxModel, flow_photo: Image.Image, fps: int) -> None:
    clip = replace(CLIP, family_options=replace(CLIP.family_options, fps=fps))
    assert torch.equal(ours(ltx, flow_photo, clip), stock(ltx, flow_photo, clip))


def test_the_frame_rate_is_told_to_the_model(ltx: LtxModel, flow_photo: Image.Image) -> None:
    other = replace(CLIP, family_options=replace(CLIP.family_options, fps=24))
    assert not torch.equal(ours(ltx, flow_photo), ours(ltx, flow_photo, other))


def test_latents_in_bf16(tiny_ltx: Path, flow_photo: Image.Image) -> None:
    """As a graphics card computes; the latents stay float32 between the steps."""
    placement = Placement(torch.device("cpu"), torch.bfloat16)
    model = load(ModelFolder(FOLDERS.preset(tiny_ltx), tiny_ltx), placement)
    found = ours(model, flow_photo)
    assert found.dtype == torch.float32
    assert torch.equal(found, stock(model, flow_photo))


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offload_changes_no_number(tiny_ltx: Path, ltx: LtxModel, flow_photo: Image.Image, offload: Offload) -> None:
    placement = Placement(ltx.device, ltx.dtype, offload)
    model = load(ModelFolder(FOLDERS.preset(tiny_ltx), tiny_ltx), placement)
    assert torch.equal(ours(model, flow_photo), ours(ltx, flow_photo))


@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_words(ltx: LtxModel, prompt: str) -> None:
    with torch.no_grad():
        words, mask = pipeline(ltx)._get_t5_prompt_embeds(prompt, max_sequence_length=TOKENS, device=ltx.device)
    found = encode(ltx.model.folder, prompt, choose_placement())
    assert torch.equal(found.tensors[PROMPT_EMBEDS], words)
    assert torch.equal(found.tensors[MASK].bool(), mask)
    assert found.cut == ""


def test_a_large_text_encoder_computes_wide_in_narrow_weights(ltx: LtxModel) -> None:
    folder = ltx.model.folder / "text_encoder"
    exact = transformers.T5EncoderModel.from_pretrained(folder)
    narrow = transformers.T5EncoderModel.from_pretrained(folder, dtype=torch.bfloat16)
    plain = narrow(torch.arange(40)[None])[0].float()
    compute_wide(narrow)
    with torch.no_grad():
        found, wanted = (encoder(torch.arange(40)[None])[0] for encoder in (narrow, exact))
    assert found.dtype == torch.float32
    assert {p.dtype for n, p in narrow.named_parameters() if ".SelfAttention." in n and "bias" not in n} == {
        torch.bfloat16
    }
    assert (found - wanted).abs().mean() < (plain - wanted).abs().mean() < 0.05


def test_decoded_frames(ltx: LtxModel, flow_photo: Image.Image) -> None:
    """As the stock pipeline decodes, with our noise."""
    latents, made = ours(ltx, flow_photo), pipeline(ltx)
    plain = made._denormalize_latents(latents.transpose(1, 2), ltx.vae.latents_mean, ltx.vae.latents_std, 1.0)
    noise = torch.randn(plain.shape, generator=purpose_generator(9, "decode"))
    with torch.no_grad():
        video = ltx.vae.decode(
            (1 - torch.tensor(DECODE_NOISE)) * plain + torch.tensor(DECODE_NOISE) * noise,
            torch.tensor([DECODE_TIMESTEP]),
            return_dict=False,
        )[0]
    expected = made.video_processor.postprocess_video(video, output_type="np")[0]
    found = np.concatenate(list(ltx.decode(latents, FRAMES, seed=9)))
    assert found.shape == (FRAMES, 64, 128, 3)
    assert np.array_equal(found, (expected * 255).round().astype(np.uint8))


def test_other_numbers_of_steps_lie_between_the_presets_levels(ltx: LtxModel) -> None:
    own = ltx.schedule(len(SIGMAS), "fixed", 5, 128, 64)
    assert own.sigmas.tolist() == pytest.approx([*SIGMAS, 0.0])
    assert own.timesteps.tolist() == pytest.approx([sigma * 1000 for sigma in SIGMAS])
    for steps in (1, 4, 5, 25):
        levels = ltx.schedule(steps, "fixed", 5, 128, 64).sigmas.tolist()
        assert len(levels) == steps + 1
        assert levels == sorted(levels, reverse=True)
        assert (levels[0], levels[-1]) == (1.0, 0.0)


def test_the_family_is_found() -> None:
    assert family("ltx").name == "ltx"
