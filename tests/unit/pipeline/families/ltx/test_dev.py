"""LTX-Video's models that are not distilled: how their folders are told, whole videos, memory and time."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import BadInput, HandBack
from fanslymotion.models.commands import models_app
from fanslymotion.models.find import find_model, taken_by
from fanslymotion.models.registry import look
from fanslymotion.models.use import use_model
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload, Work
from fanslymotion.pipeline.families.flow.folder import TRANSFORMER
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.ltx.cost import COST
from fanslymotion.pipeline.families.ltx.folder import FOLDERS, FULL, SINGLE_FILES
from fanslymotion.pipeline.families.ltx.sampling import (
    DEV,
    DISTILLED,
    FIRST_DEV,
    LARGE_DEV,
    LARGE_LAYERS,
    NEGATIVE_PROMPT,
    levels,
)
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.memory.planner import next_fallback, plan
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Sampling, load_presets
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_svd
from typer.testing import CliRunner

from ..conftest import build

GPU = Machine("cuda", "a large GPU", 24 * GIB, 23 * GIB, ram_total=64 * GIB, ram_free=60 * GIB, cores=8, gpu_speed=20.0)
LTX = replace(FULL, width=1216, height=704, frames=161)
WORK = Work(832, 480, 145, 40, True, shown_frames=288, shown_pixels=848 * 480)
REQUEST = VideoRequest("small", 4, "sampled", seed=7, prompt="A boat sways", detail=False, model="ltx", steps=4)


def change(file: Path, **keys: Any) -> None:
    """Write keys of a JSON file."""
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    file.write_text(json.dumps(known | keys), encoding="utf-8")


@pytest.fixture
def copied(tiny_ltx: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy the tiny model into a folder of a name."""

    def copy(name: str) -> Path:
        return shutil.copytree(tiny_ltx, tmp_path / name)

    return copy


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose 4 s at 24 frames a second are two windows; its folder brings its sampling along."""
    return build("ltx", tmp_path_factory.mktemp("dev"), frames=65, sampling=DEV)


# ---------------------------------------------------------------------------------------------------------- telling


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        ("LTX-Video-0.9.7-dev", DEV),
        ("LTX-Video-0.9.5", DEV),
        ("models--Lightricks--LTX-Video-0.9.7-dev/snapshots/58b4c4e", DEV),
        ("LTX-Video-0.9.8-13B-distilled", DISTILLED),
        ("LTX-Video", DISTILLED),
        ("dev/LTX-Video", DISTILLED),
    ],
)
def test_a_folder_is_told_by_its_name(copied: Callable, name: str, sampling: dict[str, Any]) -> None:
    """In Hugging Face's cache by the repository's. A folder above it may be called anything."""
    assert FOLDERS.preset(copied(name)).sampling == Sampling.model_validate(sampling)


def test_a_folder_is_told_by_its_configurations(copied: Callable) -> None:
    """By where the transformer came from, the scheduler of the first versions, the layers of the large model."""
    folder = copied("a model")
    config = folder / TRANSFORMER / "config.json"
    change(config, _name_or_path="Lightricks/LTX-Video-0.9.7-dev")
    assert FOLDERS.preset(folder).sampling == Sampling.model_validate(DEV)
    change(config, num_layers=LARGE_LAYERS)
    assert FOLDERS.preset(folder).sampling == Sampling.model_validate(LARGE_DEV)
    change(folder / "scheduler" / "scheduler_config.json", use_dynamic_shifting=True)
    assert FOLDERS.preset(folder).sampling == Sampling.model_validate(FIRST_DEV)
    (folder / "scheduler" / "scheduler_config.json").write_text("[", encoding="utf-8")
    assert FOLDERS.preset(folder).sampling == Sampling.model_validate(LARGE_DEV)
    change(folder / "fanslymotion.json", sampling={**DEV, "steps": 12})
    assert FOLDERS.preset(folder).sampling.steps == 12, "what the folder brings along goes before all"


@pytest.mark.parametrize("file", SINGLE_FILES)
def test_a_folder_with_a_single_file_is_told_by_that(tmp_path: Path, file: str) -> None:
    """Not by the scheduler of version 0.9.0, which lies beside it in Lightricks' repository."""
    (tmp_path / file).touch()
    (tmp_path / "scheduler").mkdir()
    change(tmp_path / "scheduler" / "scheduler_config.json", use_dynamic_shifting=True)
    wanted = DISTILLED if "distilled" in file else DEV
    assert FOLDERS.preset(tmp_path).sampling == Sampling.model_validate(wanted)


def test_what_the_user_says_goes_before_names(copied: Callable, settings: Settings) -> None:
    folder, presets = copied("LTX-Video-0.9.7-dev"), load_presets(settings)
    told = use_model([folder], presets, settings, "told")
    said = use_model([folder], presets, settings, "said", distilled=True)
    assert (told.sampling.steps, told.summary) == (40, "40 steps with guidance 3.")
    assert (said.sampling.steps, said.summary) == (8, "8 steps without guidance.")
    other = use_model([copied("LTX-Video")], presets, settings, "other", distilled=False)
    assert other.sampling == told.sampling
    presets = load_presets(settings)
    assert find_model("other", presets, settings).preset.sampling == told.sampling
    assert ["negative_prompt" in taken_by(presets.model(name)) for name in ("told", "said")] == [True, False]
    check_request(VideoRequest(model="told", negative_prompt="blur"), settings)
    with pytest.raises(BadInput, match="the model said has no such setting"):
        check_request(VideoRequest(model="said", negative_prompt="blur"), settings)


def test_a_family_with_one_kind_is_not_asked(settings: Settings, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_svd.built(56, 32), tmp_path / "svd")
    with pytest.raises(BadInput, match="is no model that --distilled or --not-distilled could be said of"):
        use_model([folder], load_presets(settings), settings, "mine", distilled=False)


def test_the_command_line_says_how_a_folder_is_sampled(
    copied: Callable, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANSLYMOTION_HOME", str(settings.home))
    monkeypatch.setenv("FANSLYMOTION_MODELS", str(settings.models))
    done = CliRunner().invoke(models_app, ["use", str(copied("LTX-Video-0.9.7-dev"))], catch_exceptions=False)
    assert "It takes 40 steps with guidance 3; --distilled and --not-distilled choose otherwise." in done.output
    assert "It shares" not in done.output
    assert look("ltx-video-0.9.7-dev", load_presets(settings), settings).ready


# ---------------------------------------------------------------------------------------------------------- sampling


def test_a_whole_video(make_with: Callable, dev: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Two windows, resumed in the first and in the second. Another negative prompt is another video."""
    found: dict[str, dict[str, Any]] = {name: {} for name in ("whole", "first", "second", "other")}
    with caplog.at_level(logging.INFO):
        made = make_with(dev, REQUEST, measures=found["whole"], work=tmp_path / "whole")
    assert "Sampling: 4 steps with guidance 3 (linear-quadratic)" in caplog.text
    assert probe(made.path).frames == 96
    told = read_metadata(made.path)["sampling"]
    assert (told["steps"], told["schedule"], told["max_guidance"]) == (4, "linear-quadratic", 3.0)
    assert (told["windows"], told["negative_prompt"]) == (2, NEGATIVE_PROMPT)
    for name, step in (("first", 2), ("second", 6)):

        def hand_back(moment: Progress, step: int = step) -> None:
            if moment.stage is Stage.SAMPLING and moment.step >= step:
                raise HandBack

        with pytest.raises(HandBack):
            make_with(dev, REQUEST, work=tmp_path / name, progress=hand_back)
        make_with(dev, REQUEST, measures=found[name], work=tmp_path / name)
        assert found[name]["resumed"] == divmod(step, 4)
        assert found[name]["frames_sha256"] == found["whole"]["frames_sha256"]
    with pytest.raises(HandBack):
        make_with(dev, REQUEST, work=tmp_path / "other", progress=hand_back)
    made = make_with(dev, replace(REQUEST, negative_prompt=" rain "), measures=found["other"], work=tmp_path / "other")
    assert found["other"]["resumed"] is None
    assert found["other"]["frames_sha256"] != found["whole"]["frames_sha256"]
    assert read_metadata(made.path)["sampling"]["negative_prompt"] == "rain"


def test_the_preset_says_how_much_guidance(make_with: Callable, tmp_path: Path) -> None:
    large = build("ltx", tmp_path, sampling=LARGE_DEV)
    made = make_with(large, replace(REQUEST, seconds=1, steps=None, quality="standard"))
    told = read_metadata(made.path)["sampling"]
    assert (told["steps"], told["max_guidance"], told["guidance_rescale"]) == (30, 5.0, 0.7)


def test_options(tiny_ltx: Path) -> None:
    """A distilled model is told no negative prompt; levels that are evenly spaced have a shift of their own."""
    kind = family("ltx")
    distilled = kind.folder_preset(tiny_ltx)

    def options(sampling: dict[str, Any], **changes: Any) -> Any:
        preset = distilled.model_copy(update={"sampling": Sampling.model_validate(sampling)})
        return kind.options(replace(REQUEST, **changes), preset, 24)

    assert (options(DISTILLED).negative_prompt, options(DEV).negative_prompt) == (None, NEGATIVE_PROMPT)
    assert options(DEV, negative_prompt=" fog ").negative_prompt == "fog"
    assert options(DEV, negative_prompt="").negative_prompt == ""
    assert (options(DEV).shift, options(DEV | {"schedule": "flow", "shift": 3.0}).shift) == (None, 3.0)
    assert (options(DEV).causal, options(DISTILLED).causal, options(FIRST_DEV).causal) == (True, True, None)
    model = ModelFolder(distilled, tiny_ltx)
    keys = {kind.prompt_key(model, options(DEV, negative_prompt=text)) for text in ("", "fog")}
    assert len({*keys, kind.prompt_key(model, options(DISTILLED))}) == 3


# ---------------------------------------------------------------------------------------------------- memory and time


def test_two_passes_take_twice_the_time_and_the_same_memory() -> None:
    guided = plan(GPU, LTX, WORK)
    plain = replace(guided, guided=False, work=replace(WORK, guided=False))
    ours, theirs = COST.forecast(guided), COST.forecast(plain)
    assert ours.stage_seconds[Stage.SAMPLING] == pytest.approx(2 * theirs.stage_seconds[Stage.SAMPLING])
    assert ours.peaks[Stage.SAMPLING] == theirs.peaks[Stage.SAMPLING]
    assert ours.stage_seconds[Stage.LOADING] > theirs.stage_seconds[Stage.LOADING], "another prompt is read"
    few = replace(plain, work=replace(plain.work, steps=8))
    assert ours.stage_seconds[Stage.SAMPLING] == pytest.approx(10 * COST.forecast(few).stage_seconds[Stage.SAMPLING])


def test_a_step_without_guidance_counts_half() -> None:
    """By the levels that the model is sampled at."""
    now = plan(GPU, LTX, replace(WORK, effort=Effort(guidance_above=0.98)))
    above = sum(level > 0.98 for level in levels("linear-quadratic", 40, 0, 1.0))
    assert COST.step_weights(now) == [1.0] * above + [0.5] * (40 - above)
    assert 0 < above < 40


def test_guidance_stays_on_card_and_processor() -> None:
    """Steps down in memory move weights, take smaller pieces and sizes; without guidance the prompt hardly counts."""
    now: Any = plan(replace(GPU, vram_total=12 * GIB, vram_free=11 * GIB), LTX, WORK)
    assert (now.device, now.guided) == ("cuda", True)
    assert forecast(now).fits
    seen = []
    while now is not None:
        seen.append(now)
        now = next_fallback(now, Stage.SAMPLING)
    assert {one.offload for one in seen} >= {Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL}
    assert seen[-1].device == "cpu"
    assert all(one.guided for one in seen)
