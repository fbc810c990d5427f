"""Windows that share known latents, and a state that is taken up after any step: the same latents, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.ltx.model import LtxModel
from fanslymotion.pipeline.families.ltx.options import LtxOptions
from fanslymotion.pipeline.families.ltx.prompts import encode
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from fanslymotion.tests.kept_states import read_back
from PIL import Image

STEPS = len(SIGMAS)
CLIP = SamplingParams(
    width=64,
    height=32,
    seed=5,
    steps=STEPS,
    schedule="fixed",
    guidance=Guidance(1.0, 1.0),
    family_options=LtxOptions(prompt="waves", fps=24, sigmas=SIGMAS),
    plan=WindowPlan(total=11, frames=8, count=2, overlap=5),
    options=WindowOptions(),
)


@pytest.fixture(scope="module")
def begun(ltx: LtxModel, smaller_photo: Image.Image) -> SamplingState:
    words = encode(ltx.model.folder, CLIP.family_options.prompt, ltx.placement)
    return begin(ltx, CLIP, smaller_photo, words.tensors)


@pytest.fixture(scope="module")
def whole(ltx: LtxModel, begun: SamplingState) -> tuple[Everything, torch.Tensor]:
    checkpoints = Everything()
    return checkpoints, sample_clip(ltx, CLIP, begun, checkpoints=checkpoints)


def test_known_frames_stay_what_they_are(ltx: LtxModel, begun: SamplingState, whole: Any) -> None:
    checkpoints, latents = whole
    assert latents.shape == (1, 11, 8, 1, 2)
    photo = ltx.beginning(begun.conditioning)
    for state in checkpoints.states:
        if state.x is not None:
            known = photo if state.done is None else state.done[:, -5:]
            assert torch.equal(state.x[:, : known.shape[1]], known)
    assert torch.equal(latents[:, :1], photo)


def test_a_second_window_sees_the_first_ones_frames(ltx: LtxModel, whole: Any) -> None:
    checkpoints, latents = whole
    second = next(state for state in checkpoints.states if state.window == 1 and state.step == 0)
    assert second.done is not None
    other = replace(second, done=second.done + 1.0)
    found = sample_clip(ltx, CLIP, other, checkpoints=Everything())
    assert not torch.allclose(latents[:, 8:], found[:, 8:], atol=1e-3)


@pytest.mark.parametrize("step", range(1, 2 * STEPS + 1))
def test_taken_up_after_any_step(ltx: LtxModel, whole: Any, step: int, tmp_path: Path) -> None:
    """From the file that a checkpoint is."""
    checkpoints, expected = whole
    saved = read_back(checkpoints, step, STEPS, tmp_path)
    assert torch.equal(sample_clip(ltx, CLIP, saved, checkpoints=Everything()), expected)
