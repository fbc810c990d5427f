"""One window, the same seed, the same weights: the latents of the stock WanImageToVideoPipeline, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.pipelines.wan.pipeline_wan_i2v import WanImageToVideoPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.wan.model import IMAGE
from fanslymotion.pipeline.families.wan.options import WanOptions
from fanslymotion.pipeline.families.wan.prompts import encode
from fanslymotion.pipeline.families.wan_a14b.condition import condition
from fanslymotion.pipeline.families.wan_a14b.folder import EXPERTS, FOLDERS
from fanslymotion.pipeline.families.wan_a14b.model import A14BModel, load
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from fanslymotion.tests.soak import soak
from PIL import Image

PROMPT, AGAINST = "A red car drives along the coast & stops.", "still"
FRAMES = 17
CLIP = SamplingParams(
    width=64,
    height=32,
    seed=1234,
    steps=4,
    schedule="flow",
    guidance=Guidance(1.0, 1.0),
    family_options=WanOptions(PROMPT, AGAINST, 5.0, "euler"),
    plan=WindowPlan(5, 5, 1, 0),
    options=WindowOptions(guidance_cap=None),
)


class Lightning(FlowMatchEulerDiscreteScheduler):
    """The levels on which the distilled model was trained: evenly spaced, then shifted."""

    def set_timesteps(self, num_inference_steps: int = 0, device: Any = None, **_: Any) -> None:  # type: ignore[override]
        even = np.linspace(1, 0, num_inference_steps + 1)[:-1]
        super().set_timesteps(sigmas=even.tolist(), device=device)


def solved(model: A14BModel, solver: str) -> A14BModel:
    """The same model, its preset with another solver and windows of FRAMES: no more are encoded of what is known."""
    sampling = model.model.preset.sampling.model_copy(update={"solver": solver})
    preset = model.model.preset.model_copy(update={"sampling": sampling, "frames": FRAMES})
    return replace(model, model=replace(model.model, preset=preset))


def ours(
    model: A14BModel, photo: Image.Image, clip: SamplingParams = CLIP, last: Image.Image | None = None
) -> torch.Tensor:
    words = encode(model.model.folder, PROMPT, AGAINST, model.placement)
    return sample_clip(model, clip, begin(model, clip, photo, words.tensors, last), checkpoints=Nowhere())


def pipeline(model: A14BModel, solver: str) -> WanImageToVideoPipeline:
    folder = model.model.folder
    first, second = (WanTransformer3DModel.from_pretrained(folder / name, torch_dtype=model.dtype) for name in EXPERTS)
    made = WanImageToVideoPipeline(
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder / "tokenizer"),
        text_encoder=transformers.UMT5EncoderModel.from_pretrained(folder / "text_encoder", dtype=model.dtype),
        vae=model.vae,
        scheduler=Lightning(shift=5.0)
        if solver == "euler"
        else UniPCMultistepScheduler.from_pretrained(folder, subfolder="scheduler"),
        transformer=first,
        transformer_2=second,
        boundary_ratio=0.9,
    )
    made.set_progress_bar_config(disable=True)
    return made


def stock(
    model: A14BModel, photo: Image.Image, clip: SamplingParams, solver: str, last: Image.Image | None = None
) -> torch.Tensor:
    found = pipeline(model, solver)(
        image=photo,
        last_image=last,
        prompt=PROMPT,
        negative_prompt=AGAINST,
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


@pytest.mark.parametrize("solver", ["euler", "unipc"])
@pytest.mark.parametrize("guidance", [3.5, *soak(1.0)])
def test_latents(wan_a14b: A14BModel, smaller_photo: Image.Image, guidance: float, solver: str) -> None:
    """Distilled and not, both transformers, with guidance and without."""
    model = solved(wan_a14b, solver)
    clip = replace(CLIP, guidance=Guidance(guidance, guidance), steps=4 if solver == "euler" else 6)
    assert torch.equal(ours(model, smaller_photo, clip), stock(model, smaller_photo, clip, solver))


def test_latents_with_a_last_picture(wan_a14b: A14BModel, smaller_photo: Image.Image) -> None:
    """As the stock pipeline with two pictures; only the last window is told, also when it is taken up again."""
    model, last = solved(wan_a14b, "euler"), smaller_photo.rotate(180)
    found = ours(model, smaller_photo, CLIP, last)
    assert torch.equal(found, stock(model, smaller_photo, CLIP, "euler", last))
    assert not torch.allclose(found, ours(model, smaller_photo), atol=1e-2)
    clip = replace(CLIP, plan=WindowPlan(total=8, frames=5, count=2, overlap=1))
    told, free = (ours(model, smaller_photo, clip, end) for end in (last, None))
    assert torch.equal(told[:, :5], free[:, :5])
    assert not torch.allclose(told[:, 5:], free[:, 5:], atol=1e-2)
    words, checkpoints = encode(model.model.folder, PROMPT, AGAINST, model.placement), Everything()
    sample_clip(model, clip, begin(model, clip, smaller_photo, words.tensors, last), checkpoints=checkpoints)
    state = next(state for state in checkpoints.states if (state.window, state.step) == (1, 2))
    assert torch.equal(sample_clip(model, clip, state, checkpoints=Nowhere()), told)


def test_a_loop_ends_with_the_photo(wan_a14b: A14BModel, smaller_photo: Image.Image) -> None:
    model, loop = solved(wan_a14b, "euler"), replace(CLIP, family_options=replace(CLIP.family_options, loop=True))
    found = ours(model, smaller_photo, loop)
    assert torch.equal(found, ours(model, smaller_photo, CLIP, smaller_photo))
    assert not torch.allclose(found, ours(model, smaller_photo), atol=1e-2)


def test_latents_in_bf16(tiny_wan_a14b: Path, smaller_photo: Image.Image) -> None:
    """As a graphics card computes; the latents stay float32 between the steps, which the stock Euler steps round."""
    placement = Placement(torch.device("cpu"), torch.bfloat16)
    model = load(ModelFolder(FOLDERS.preset(tiny_wan_a14b), tiny_wan_a14b), placement)
    model = solved(model, "unipc")
    clip = replace(CLIP, guidance=Guidance(3.5, 3.5), steps=6)
    found = ours(model, smaller_photo, clip)
    assert found.dtype == torch.float32
    assert torch.equal(found, stock(model, smaller_photo, clip, "unipc"))


def test_the_levels_are_those_of_the_training(wan_a14b: A14BModel) -> None:
    """Four steps are 1000, 937.5, 833.3 and 625 of 1000: two for each transformer."""
    for steps in (1, 4, 8, 30):
        scheduler = Lightning(shift=5.0)
        scheduler.set_timesteps(steps)
        found = solved(wan_a14b, "euler").schedule(steps, "flow", 5, 64, 32)
        assert torch.equal(found.sigmas, scheduler.sigmas)
        assert torch.equal(found.timesteps, scheduler.timesteps)
        assert found.solver == "euler"
    times = solved(wan_a14b, "euler").schedule(4, "flow", 5, 64, 32).timesteps
    assert [round(float(time), 1) for time in times] == [1000.0, 937.5, 833.3, 625.0]


def test_what_is_known_of_the_video(wan_a14b: A14BModel, smaller_photo: Image.Image) -> None:
    """The photo and grey frames, encoded piece by piece; a shorter window takes the first of them."""
    made = pipeline(wan_a14b, "euler")
    image = made.video_processor.preprocess(smaller_photo, height=32, width=64)
    with torch.no_grad():
        _, wanted = made.prepare_latents(
            image, 1, 16, 32, 64, FRAMES, torch.float32, torch.device("cpu"), torch.Generator("cpu")
        )
    known = wan_a14b.encode(smaller_photo, CLIP.family_options, torch.Generator())[IMAGE]
    assert known.shape == (1, 25, 16, 4, 8)
    assert torch.equal(condition(wan_a14b.vae, known)[:, :, :5], wanted)


@pytest.mark.parametrize("offload", [Offload.GROUP, *soak(Offload.MODEL, Offload.SEQUENTIAL)])
def test_offload_changes_no_number(
    tiny_wan_a14b: Path, wan_a14b: A14BModel, smaller_photo: Image.Image, offload: Offload
) -> None:
    placement = Placement(wan_a14b.device, wan_a14b.dtype, offload)
    model = load(ModelFolder(FOLDERS.preset(tiny_wan_a14b), tiny_wan_a14b), placement)
    model.experts.both = False
    clip = replace(CLIP, steps=6)
    found, wanted = (ours(solved(one, "unipc"), smaller_photo, clip) for one in (model, wan_a14b))
    assert torch.equal(found, wanted)


def test_decoded_frames(wan_a14b: A14BModel, smaller_photo: Image.Image) -> None:
    """Frame by frame as they come, and all at once in the stock pipeline: the same pixels."""
    latents = ours(solved(wan_a14b, "unipc"), smaller_photo)
    mean = torch.tensor(wan_a14b.vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = 1.0 / torch.tensor(wan_a14b.vae.config.latents_std).view(1, -1, 1, 1, 1)
    with torch.no_grad():
        video = wan_a14b.vae.decode(latents.transpose(1, 2) / std + mean, return_dict=False)[0]
    expected = pipeline(wan_a14b, "euler").video_processor.postprocess_video(video, output_type="np")[0]
    found = list(wan_a14b.decode(latents, 4))
    assert [len(part) for part in found] == [1, 4, 4, 4, 4]
    assert np.array_equal(np.concatenate(found), (expected * 255).round().astype(np.uint8))
