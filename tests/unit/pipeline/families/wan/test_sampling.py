"""Windows that share a known latent, and a state that is taken up after any step: the same latents, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.wan.model import WanModel
from fanslymotion.pipeline.families.wan.options import WanOptions
from fanslymotion.pipeline.families.wan.prompts import encode
from fanslymotion.pipeline.sampling.unipc import BEFORE, CORRECTED, LAST
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from fanslymotion.tests.kept_states import read_back
from PIL import Image

STEPS = 6
CLIP = SamplingParams(
    width=64,
    height=32,
    seed=5,
    steps=STEPS,
    schedule="flow",
    guidance=Guidance(5.0, 5.0),
    family_options=WanOptions("waves", "still", 5.0, "unipc"),
    plan=WindowPlan(total=9, frames=5, count=2, overlap=1),
    options=WindowOptions(guidance_cap=None),
)


@pytest.fixture(scope="module")
def begun(wan: WanModel, smaller_photo: Image.Image) -> SamplingState:
    words = encode(wan.model.folder, "waves", "still", wan.placement)
    return begin(wan, CLIP, smaller_photo, words.tensors)


@pytest.fixture(scope="module")
def whole(wan: WanModel, begun: SamplingState) -> tuple[Everything, torch.Tensor]:
    checkpoints = Everything()
    return checkpoints, sample_clip(wan, CLIP, begun, checkpoints=checkpoints)


def test_known_frames_stay_what_they_are(wan: WanModel, begun: SamplingState, whole: Any) -> None:
    checkpoints, latents = whole
    assert latents.shape == (1, 9, 48, 2, 4)
    photo = wan.beginning(begun.conditioning)
    for state in checkpoints.states:
        if state.x is not None:
            known = photo if state.done is None else state.done[:, -1:]
            assert torch.equal(state.x[:, :1], known)
    assert torch.equal(latents[:, :1], photo)


def test_a_second_window_sees_the_first_ones_last_frame(wan: WanModel, whole: Any) -> None:
    checkpoints, latents = whole
    second = next(state for state in checkpoints.states if state.window == 1 and state.step == 0)
    assert second.done is not None
    assert second.history == {}
    other = replace(second, done=second.done + 1.0)
    found = sample_clip(wan, CLIP, other, checkpoints=Everything())
    assert not torch.allclose(latents[:, 5:], found[:, 5:], atol=1e-3)


def test_each_window_is_guided_as_far(wan: WanModel, begun: SamplingState, whole: Any) -> None:
    """What a model draws with guidance falls apart with half of it: no cap, unlike Stable Video Diffusion's ramp."""
    capped = replace(CLIP, options=WindowOptions(guidance_cap=2.5))
    found = sample_clip(wan, capped, begun, checkpoints=Everything())
    assert torch.equal(found[:, :5], whole[1][:, :5])
    assert not torch.equal(found, whole[1])


@pytest.mark.parametrize("step", range(1, 2 * STEPS + 1))
def test_taken_up_after_any_step(wan: WanModel, whole: Any, step: int, tmp_path: Path) -> None:
    """From the file that a checkpoint is, with what the solver remembers."""
    checkpoints, expected = whole
    saved = read_back(checkpoints, step, STEPS, tmp_path)
    assert set(saved.history) == {CORRECTED, LAST} | ({BEFORE} if saved.step > 1 else set())
    assert torch.equal(sample_clip(wan, CLIP, saved, checkpoints=Everything()), expected)
