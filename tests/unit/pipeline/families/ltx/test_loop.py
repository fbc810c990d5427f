"""A video that ends with the photo: the latents of the stock LTXConditionPipeline with the photo at both ends."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from diffusers.pipelines.ltx import pipeline_ltx_condition
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXConditionPipeline, LTXVideoCondition
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.errors import BadInput, HandBack
from fanslymotion.pipeline.families.ltx import FAMILY
from fanslymotion.pipeline.families.ltx.chunks import STRIDE
from fanslymotion.pipeline.families.ltx.model import IMAGE, LtxModel
from fanslymotion.pipeline.families.ltx.options import LtxOptions
from fanslymotion.pipeline.families.ltx.prompts import MASK, PROMPT_EMBEDS, encode
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.families.weights.compiling import Compiler
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowPlan
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings
from PIL import Image

from .test_parity import CLIP, FRAMES, PROMPT

LOOP = replace(CLIP, family_options=LtxOptions(PROMPT, 24, SIGMAS, loop=True))
REQUEST = VideoRequest("small", 4, "sampled", seed=7, prompt="A boat sways", detail=False, loop=True)


def start(
    model: LtxModel, photo: Image.Image, clip: SamplingParams = LOOP, last: Image.Image | None = None
) -> SamplingState:
    return begin(model, clip, photo, encode(model.model.folder, PROMPT, model.placement).tensors, last)


def stock(
    ltx: LtxModel,
    begun: SamplingState,
    pictures: Sequence[torch.Tensor],
    photo: Image.Image,
    at: int = FRAMES - 1,
    **given: Any,
) -> torch.Tensor:
    """The stock pipeline's latents, (1, channels, frames, h, w).

    Given the pictures' latents, which it samples later than we do, and the words of the image-to-video pipeline.

    Args:
        ltx: Its networks.
        begun: With our noise and our words.
        pictures: Latents of the first and of the last one.
        photo: Any; the latents stand for it.
        at: The frame at which the last one stands.
        given: To the pipeline; without `timesteps` it computes its own levels.
    """
    given = given or {"timesteps": [1000 * sigma for sigma in SIGMAS], "guidance_scale": 1.0}
    images = iter(pictures)
    generator = torch.Generator("cpu")
    generator.set_state(begun.rng)
    folder = ltx.model.folder
    made = LTXConditionPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=False, shift=1.0, shift_terminal=None),
        vae=ltx.vae,
        text_encoder=transformers.T5EncoderModel.from_pretrained(folder / "text_encoder"),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder / "tokenizer"),
        transformer=ltx.transformer,
    )
    made.set_progress_bar_config(disable=True)
    plain = made.scheduler.set_timesteps

    def our_levels(*_: Any, timesteps: Any = None, device: Any = None, **__: Any) -> None:
        plain(sigmas=list(SIGMAS), device=device)

    if "timesteps" in given:
        made.scheduler.set_timesteps = our_levels  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_ltx_condition, "retrieve_latents", lambda *_, **__: next(images).unsqueeze(2))
        return made(
            conditions=[LTXVideoCondition(image=photo, frame_index=index) for index in (0, at)[: len(pictures)]],
            prompt_embeds=begun.conditioning[PROMPT_EMBEDS],
            prompt_attention_mask=begun.conditioning[MASK].bool(),
            height=64,
            width=128,
            num_frames=FRAMES,
            frame_rate=24,
            image_cond_noise_scale=0.0,
            generator=generator,
            output_type="latent",
            **given,
        ).frames


def test_latents(ltx: LtxModel, flow_photo: Image.Image) -> None:
    begun = start(ltx, flow_photo)
    wanted = stock(ltx, begun, [begun.conditioning[IMAGE]] * 2, flow_photo)
    found = sample_clip(ltx, LOOP, begun, checkpoints=Nowhere())
    assert torch.equal(found.transpose(1, 2), wanted)
    free = sample_clip(
        ltx, replace(LOOP, family_options=replace(LOOP.family_options, loop=False)), begun, checkpoints=Nowhere()
    )
    assert not torch.allclose(found, free, atol=1e-2)


def test_it_closes_where_the_video_ends(ltx: LtxModel, flow_photo: Image.Image) -> None:
    """Windows of even length may give frames behind the video's end, which nobody sees."""
    begun = start(ltx, flow_photo)
    found = sample_clip(ltx, replace(LOOP, plan=WindowPlan(4, 5, 1, 0)), begun, checkpoints=Nowhere())
    wanted = stock(ltx, begun, [begun.conditioning[IMAGE]] * 2, flow_photo, at=3 * STRIDE)
    assert torch.equal(found.transpose(1, 2), wanted)


def test_it_closes_within_a_latent_frame(ltx: LtxModel, flow_photo: Image.Image) -> None:
    """A second at 12 frames is no multiple of the eight that a latent frame stands for: the rest is never shown."""
    behind = [FAMILY.options(replace(REQUEST, seconds=n), ltx.model.preset, 12).behind for n in (1, 2, 3, 5, 6)]
    assert behind == [4, 0, 4, 4, 0]
    begun = start(ltx, flow_photo)
    short = replace(LOOP, family_options=replace(LOOP.family_options, behind=4))
    wanted = stock(ltx, begun, [begun.conditioning[IMAGE]] * 2, flow_photo, at=FRAMES - 1 - 4)
    assert torch.equal(sample_clip(ltx, short, begun, checkpoints=Nowhere()).transpose(1, 2), wanted)


def test_only_the_last_window_is_told(ltx: LtxModel, flow_photo: Image.Image) -> None:
    clip = replace(LOOP, plan=WindowPlan(total=7, frames=5, count=2, overlap=3))
    free = replace(clip, family_options=replace(LOOP.family_options, loop=False))
    one, other = (sample_clip(ltx, each, start(ltx, flow_photo, each), checkpoints=Nowhere()) for each in (clip, free))
    assert torch.equal(one[:, :5], other[:, :5])
    assert not torch.allclose(one[:, 5:], other[:, 5:], atol=1e-3)


@pytest.mark.parametrize("step", range(1, len(SIGMAS) + 1))
def test_taken_up_after_any_step(ltx: LtxModel, flow_photo: Image.Image, step: int) -> None:
    checkpoints = Everything()
    whole = sample_clip(ltx, LOOP, start(ltx, flow_photo), checkpoints=checkpoints)
    state = next(state for state in checkpoints.states if (state.window, state.step) in ((0, step), (1, 0)))
    assert torch.equal(sample_clip(ltx, LOOP, state, checkpoints=Nowhere()), whole)


@pytest.mark.soak
def test_a_whole_video(make_with: Callable, brief_ltx: Path, tmp_path: Path) -> None:
    """Of its frames the one behind the last is the photo; a checkpoint without a loop is not gone on with."""
    found: dict[str, dict[str, Any]] = {"loop": {}, "free": {}, "after": {}}
    make_with(brief_ltx, REQUEST, measures=found["loop"], work=tmp_path / "loop")
    make_with(brief_ltx, replace(REQUEST, loop=False), measures=found["free"], work=tmp_path / "free")
    assert found["loop"]["frames_sha256"] != found["free"]["frames_sha256"]
    assert (found["loop"]["latents"].shape[1] - 1) * 8 == 4 * 24

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    with pytest.raises(HandBack):
        make_with(brief_ltx, replace(REQUEST, loop=False), progress=hand_back)
    make_with(brief_ltx, REQUEST, measures=found["after"])
    assert found["after"]["resumed"] is None
    assert found["after"]["frames_sha256"] == found["loop"]["frames_sha256"]


def test_other_models_cannot_be_told(settings: Settings) -> None:
    check_request(VideoRequest(model="mini", loop=False), settings)
    with pytest.raises(BadInput, match="loop is True, but the model mini has no such setting"):
        check_request(VideoRequest(model="mini", loop=True), settings)


def test_a_compiled_loop_of_two_windows_compiles_nothing_while_it_is_sampled(
    make_with: Callable, brief_ltx: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last window has a latent frame of tokens more than the others: both are tried out before the first step."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "disabled", True)
    graphs: list[Stage] = []
    stage = [Stage.LOADING]

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(stage[0])
        return graph.forward

    def progress(moment: Progress) -> None:
        stage[0] = moment.stage

    cache = ModelCache(compiler=Compiler(backend, channels_last=False))  # type: ignore[arg-type]
    made = make_with(
        brief_ltx,
        REQUEST,
        model_cache=cache,
        machine=Machine(device="cpu", compiles=True),
        settings=replace(settings, compile="always"),
        progress=progress,
    )
    assert read_metadata(made.path)["sampling"]["compiled"]
    assert read_metadata(made.path)["sampling"]["windows"] == 2
    assert set(graphs) == {Stage.LOADING}
