"""Wan 2.2 distilled to a few steps: how its folders and files are told, whole videos, and states that are taken up."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything
from fanslymotion.models.find import taken_by
from fanslymotion.pipeline.families.guidance import Guidance
from fanslymotion.pipeline.families.modes import modes_of
from fanslymotion.pipeline.families.wan.folder import FASTWAN, FOLDERS, FRAMES, HEIGHT, RATES, WIDTH
from fanslymotion.pipeline.families.wan.model import WanModel
from fanslymotion.pipeline.families.wan.options import WanOptions
from fanslymotion.pipeline.families.wan.prompts import encode
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.sampling.windowed import SamplingParams, SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from fanslymotion.presets import Sampling, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.kept_states import read_back
from PIL import Image

STEPS = 3
CLIP = SamplingParams(
    width=64,
    height=32,
    seed=5,
    steps=STEPS,
    schedule="fixed",
    guidance=Guidance(1.0, 1.0),
    family_options=WanOptions("waves", "", 1.0, "lcm", sigmas=(1.0, 0.757, 0.522)),
    plan=WindowPlan(total=9, frames=5, count=2, overlap=1),
    options=WindowOptions(guidance_cap=None),
)


@pytest.fixture(scope="module")
def fastwan(wan: WanModel) -> WanModel:
    preset = wan.model.preset.model_copy(update={"sampling": Sampling.model_validate(FASTWAN)})
    return replace(wan, model=replace(wan.model, preset=preset))


@pytest.fixture(scope="module")
def begun(fastwan: WanModel, smaller_photo: Image.Image) -> SamplingState:
    words = encode(fastwan.model.folder, "waves", "", fastwan.placement)
    return begin(fastwan, CLIP, smaller_photo, words.tensors)


@pytest.fixture(scope="module")
def whole(fastwan: WanModel, begun: SamplingState) -> tuple[Everything, torch.Tensor]:
    checkpoints = Everything()
    return checkpoints, sample_clip(fastwan, CLIP, begun, checkpoints=checkpoints)


@pytest.mark.parametrize("step", range(1, 2 * STEPS + 1))
def test_taken_up_after_any_step(
    fastwan: WanModel, whole: tuple[Everything, torch.Tensor], step: int, tmp_path: Path
) -> None:
    """The noise that is added then is the same, though no generator's state is kept for it."""
    checkpoints, expected = whole
    saved = read_back(checkpoints, step, STEPS, tmp_path)
    assert saved.history == {}
    assert torch.equal(sample_clip(fastwan, CLIP, saved, checkpoints=Everything()), expected)


def test_each_window_begins_with_the_last_ones_frame(
    fastwan: WanModel, begun: SamplingState, whole: tuple[Everything, torch.Tensor]
) -> None:
    checkpoints, latents = whole
    assert torch.equal(latents[:, :1], fastwan.beginning(begun.conditioning))
    for state in checkpoints.states:
        if state.x is not None and state.done is not None:
            assert torch.equal(state.x[:, :1], state.done[:, -1:])


@pytest.fixture
def folder(tiny_wan: Path, tmp_path: Path) -> Path:
    """A folder as FastVideo publishes it: its pipeline has another name."""
    made = tmp_path / "a model"
    shutil.copytree(tiny_wan, made)
    index = json.loads((made / "model_index.json").read_text(encoding="utf-8"))
    (made / "model_index.json").write_text(json.dumps(index | {"_class_name": "WanDMDPipeline"}), encoding="utf-8")
    return made


def test_a_whole_video(make_with: Callable, folder: Path) -> None:
    request = VideoRequest(
        seconds=1, quality="standard", prompt="A boat sways", resolution="small", seed=7, detail=False
    )
    result = make_with(folder, request)
    assert probe(result.path).frames == 24
    told = read_metadata(result.path)["sampling"]
    assert (told["steps"], told["solver"], told["schedule"], told["max_guidance"]) == (3, "lcm", "fixed", 1.0)
    assert told["sigmas"] == [1.0, 0.757, 0.522]


def test_a_folder_is_told_by_its_pipelines_name(folder: Path, tiny_wan: Path) -> None:
    assert FOLDERS.preset(folder).sampling == Sampling.model_validate(FASTWAN)
    assert FOLDERS.preset(tiny_wan).sampling.steps == 50
    (folder / "model_index.json").unlink()
    assert FOLDERS.preset(folder).sampling.steps == 50


def test_what_the_preset_says(settings: Settings) -> None:
    preset = load_presets(settings).model("wan-5b-fast")
    assert (preset.family, preset.trial, preset.licence.name) == ("wan", True, "Apache-2.0")
    assert preset.sampling == Sampling.model_validate(FASTWAN)
    assert {name: rate.model_dump() for name, rate in preset.rates.items()} == RATES
    assert (preset.width, preset.height, preset.frames) == (WIDTH, HEIGHT, FRAMES)
    assert list(modes_of(preset)) == ["best"], "three steps leave nothing out"
    assert "negative_prompt" not in taken_by(preset)
