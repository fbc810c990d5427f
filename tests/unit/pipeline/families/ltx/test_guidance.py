"""Models that are not distilled: the latents of the stock pipelines with guidance, which compute both passes at once.

Two passes of one are the same numbers but for the last digits: products of other sizes are summed in another order.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.ltx.pipeline_ltx_condition import linear_quadratic_schedule
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.ltx.folder import FOLDERS
from fanslymotion.pipeline.families.ltx.model import IMAGE, LAST, LtxModel, load
from fanslymotion.pipeline.families.ltx.options import LtxOptions
from fanslymotion.pipeline.families.ltx.prompts import MASK, NEGATIVE, NEGATIVE_MASK, PROMPT_EMBEDS, TOKENS, encode
from fanslymotion.pipeline.families.ltx.sampling import DEV, FIRST_DEV, LARGE_DEV, NEGATIVE_PROMPT, levels
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.resolve import window_options
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowPlan
from fanslymotion.presets import Sampling, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.kept_states import read_back
from PIL import Image

from . import test_loop
from .test_last_photo import picture
from .test_parity import CLIP as DISTILLED_CLIP
from .test_parity import FRAMES, PROMPT, pipeline

STEPS = 6
CLIP = replace(
    DISTILLED_CLIP,
    steps=STEPS,
    schedule="linear-quadratic",
    guidance=Guidance(3.0, 3.0),
    family_options=LtxOptions(PROMPT, 24, (), negative_prompt=NEGATIVE_PROMPT, causal=True),
)
SHIFTED = {
    "use_dynamic_shifting": True,
    "base_shift": 0.95,
    "max_shift": 2.05,
    "base_image_seq_len": 1024,
    "max_image_seq_len": 4096,
    "shift_terminal": 0.1,
}
"""The scheduler of versions 0.9.0 and 0.9.1, as diffusers' conversion writes it."""
close = partial(torch.allclose, rtol=0, atol=2e-5)


def sampled_as(model: LtxModel, sampling: dict[str, Any]) -> LtxModel:
    preset = model.model.preset.model_copy(update={"sampling": Sampling.model_validate(sampling)})
    return replace(model, model=replace(model.model, preset=preset))


def start(
    model: LtxModel, photo: Image.Image, clip: SamplingParams = CLIP, last: Image.Image | None = None
) -> SamplingState:
    words = encode(model.model.folder, PROMPT, model.placement, clip.family_options.negative_prompt)
    return begin(model, clip, photo, words.tensors, last)


def ours(model: LtxModel, photo: Image.Image, clip: SamplingParams = CLIP) -> torch.Tensor:
    return sample_clip(model, clip, start(model, photo, clip), checkpoints=Nowhere())


@pytest.fixture(scope="module")
def dev(ltx: LtxModel) -> LtxModel:
    return sampled_as(ltx, DEV)


@pytest.mark.parametrize("rescale", [0.0, 0.7])
@pytest.mark.parametrize("size", [(128, 64), (256, 192)])
def test_levels_and_guidance_of_the_first_versions(
    ltx: LtxModel, photo: Path, size: tuple[int, int], rescale: float
) -> None:
    """The image-to-video pipeline as it is: levels that are moved up by the window's tokens."""
    width, height = size
    with Image.open(photo) as image:
        given = image.convert("RGB").resize(size)
    model = sampled_as(ltx, FIRST_DEV)
    clip = replace(
        CLIP,
        width=width,
        height=height,
        schedule="dynamic",
        guidance=Guidance(3.0, 3.0, rescale=rescale),
        family_options=replace(CLIP.family_options, causal=None),
    )
    made = pipeline(model)
    made.scheduler = FlowMatchEulerDiscreteScheduler(**SHIFTED)
    wanted = made(
        image=given,
        prompt=PROMPT,
        negative_prompt=NEGATIVE_PROMPT,
        height=height,
        width=width,
        num_frames=FRAMES,
        frame_rate=24,
        num_inference_steps=STEPS,
        guidance_scale=3.0,
        guidance_rescale=rescale,
        generator=torch.Generator("cpu").manual_seed(clip.seed),
        max_sequence_length=TOKENS,
        output_type="latent",
    ).frames
    assert isinstance(wanted, torch.Tensor)
    found = ours(model, given, clip)
    assert close(found, wanted.reshape(1, 5, height // 32, width // 32, -1).permute(0, 1, 4, 2, 3))
    assert not close(found, ours(model, given, replace(clip, guidance=Guidance(1.0, 1.0))))


@pytest.mark.parametrize(("guidance", "rescale"), [(3.0, 0.0), (5.0, 0.7)])
@pytest.mark.parametrize("ends", [False, True])
def test_levels_and_guidance_from_0_9_5_on(
    dev: LtxModel, flow_photo: Image.Image, guidance: float, rescale: float, ends: bool
) -> None:
    """LTXConditionPipeline with its own levels, given the pictures' latents; with a last picture, too."""
    clip = replace(CLIP, guidance=Guidance(guidance, guidance, rescale=rescale))
    begun = start(dev, flow_photo, clip, picture(1) if ends else None)
    known = begun.conditioning
    wanted = test_loop.stock(
        dev,
        begun,
        [known[name] for name in (IMAGE, LAST) if name in known],
        flow_photo,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        guidance_rescale=rescale,
        negative_prompt_embeds=known[NEGATIVE],
        negative_prompt_attention_mask=known[NEGATIVE_MASK].bool(),
    )
    found = sample_clip(dev, clip, begun, checkpoints=Nowhere())
    assert close(found.transpose(1, 2), wanted)
    plain = sample_clip(dev, replace(clip, guidance=Guidance(1.0, 1.0)), begun, checkpoints=Nowhere())
    assert not close(found, plain)


def test_words(dev: LtxModel) -> None:
    """Of both prompts, as the stock pipeline has them; without guidance the negative one is not read."""
    with torch.no_grad():
        found = encode(dev.model.folder, PROMPT, dev.placement, NEGATIVE_PROMPT).tensors
        for text, words, mask in ((PROMPT, PROMPT_EMBEDS, MASK), (NEGATIVE_PROMPT, NEGATIVE, NEGATIVE_MASK)):
            wanted, its_mask = pipeline(dev)._get_t5_prompt_embeds(text, max_sequence_length=TOKENS, device=dev.device)
            assert torch.equal(found[words], wanted)
            assert torch.equal(found[mask].bool(), its_mask)
    assert encode(dev.model.folder, PROMPT, dev.placement).tensors.keys() == {PROMPT_EMBEDS, MASK}


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 30, 40, 100])
def test_linear_quadratic_levels(dev: LtxModel, steps: int) -> None:
    found = dev.schedule(steps, "linear-quadratic", 5, 128, 64)
    wanted = linear_quadratic_schedule(steps)
    assert torch.allclose(found.sigmas[:-1], wanted, rtol=0, atol=1e-6)
    assert torch.allclose(found.timesteps, 1000 * wanted, rtol=0, atol=1e-3)
    assert found.sigmas[-1] == 0


def test_other_levels_of_a_preset(dev: LtxModel) -> None:
    """Evenly spaced ones, moved up by the preset's shift; and a single step of those that follow the tokens."""
    even = sampled_as(dev, DEV | {"schedule": "flow", "shift": 1.0})
    assert even.schedule(4, "flow", 5, 128, 64).sigmas.tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    shifted = sampled_as(dev, DEV | {"schedule": "flow", "shift": 3.0})
    assert shifted.schedule(4, "flow", 5, 128, 64).sigmas.tolist() == pytest.approx([1.0, 0.9, 0.75, 0.5, 0.0])
    assert levels("dynamic", 1, 40, 1.0) == [1.0]


def test_a_ramp_of_guidance_and_steps_without(dev: LtxModel, flow_photo: Image.Image) -> None:
    found = partial(ours, dev, flow_photo)
    whole, none = found(), found(replace(CLIP, guidance=Guidance(1.0, 1.0)))
    half = found(replace(CLIP, effort=Effort(guidance_above=0.98)))
    ramp = found(replace(CLIP, guidance=Guidance(1.0, 3.0)))
    assert not any(close(one, other) for one in (half, ramp) for other in (whole, none))
    assert torch.equal(found(replace(CLIP, effort=Effort(guidance_above=1.0))), none)
    assert torch.equal(whole[:, :1], ramp[:, :1]), "the first frame is the photo"


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offload_changes_no_number(tiny_ltx: Path, dev: LtxModel, flow_photo: Image.Image, offload: Offload) -> None:
    placement = Placement(dev.device, dev.dtype, offload)
    model = sampled_as(load(ModelFolder(FOLDERS.preset(tiny_ltx), tiny_ltx), placement), DEV)
    assert torch.equal(ours(model, flow_photo), ours(dev, flow_photo))


@pytest.mark.parametrize("step", range(1, 2 * STEPS + 1))
def test_taken_up_after_any_step(dev: LtxModel, smaller_photo: Image.Image, step: int, tmp_path: Path) -> None:
    """In the first window and in the second, from the file that a checkpoint is."""
    large = sampled_as(dev, LARGE_DEV)
    clip = replace(
        CLIP,
        width=64,
        height=32,
        guidance=Guidance(5.0, 5.0, rescale=0.7),
        plan=WindowPlan(total=11, frames=8, count=2, overlap=5),
    )
    checkpoints = Everything()
    whole = sample_clip(large, clip, start(large, smaller_photo, clip), checkpoints=checkpoints)
    saved = read_back(checkpoints, step, STEPS, tmp_path)
    assert torch.equal(sample_clip(large, clip, saved, checkpoints=Nowhere()), whole)


@pytest.mark.parametrize("name", ["ltx-2b", "wan-5b", "wan-14b-fast"])
def test_each_window_is_guided_as_far(settings: Settings, name: str) -> None:
    """The cap belongs to the ramp of Stable Video Diffusion, which peaks on the frames that are used again."""
    guidance = Guidance(5.0, 5.0, rescale=0.7)
    assert guidance.capped(window_options(load_presets(settings).model(name)).guidance_cap) == guidance
