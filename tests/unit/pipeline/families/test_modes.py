"""The modes of a request: what each comes to for a model, what they cost, and that checkpoints tell them apart."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from fanslymotion.errors import BadInput, PresetError
from fanslymotion.pipeline.families import forecast as forecasts
from fanslymotion.pipeline.families.base import MemoryPlan, ModelFolder
from fanslymotion.pipeline.families.modes import SampledSteps, modes_of, sampled_steps
from fanslymotion.pipeline.families.steps.effort import EVERYTHING, Effort
from fanslymotion.pipeline.families.svd import cost
from fanslymotion.pipeline.families.svd.model_size import FULL
from fanslymotion.pipeline.families.svd.noise.levels import ays_sigmas, karras_sigmas
from fanslymotion.pipeline.families.svd.noise.schedule import noise_schedule
from fanslymotion.pipeline.families.svd.random_model import scheduler
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import Figure
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.memory.request_plan import work_of
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.pipeline.resolve import resolve
from fanslymotion.presets import Mode, Presets, load_presets
from fanslymotion.presets.options import MODES
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings

PHOTO = (1600, 900)
CARD = Machine("cuda", "card", 80 * GIB, 79 * GIB, 126 * GIB, 120 * GIB, cores=16, gpu_speed=300.0)
BALANCED = SampledSteps(25, "karras", Effort(guidance_above=0.5, full_every=3))
FAST = SampledSteps(10, "ays", Effort(guidance_above=0.5))


@pytest.fixture
def xt(presets: Presets) -> ModelFolder:
    return ModelFolder(presets.model("svd-xt"), Path("svd-xt"))


def planned(xt: ModelFolder, presets: Presets, mode: str, **changes) -> MemoryPlan:
    work = work_of(VideoRequest(model="svd-xt", mode=mode, **changes), PHOTO, xt, presets)  # pyright: ignore[reportArgumentType]
    return plan(CARD, replace(FULL, name="svd-xt"), work)


def test_what_a_mode_comes_to(presets: Presets) -> None:
    xt, mini = presets.model("svd-xt"), presets.model("mini")
    assert tuple(modes_of(xt)) == MODES
    assert sampled_steps(VideoRequest(), xt) == SampledSteps(25, "karras", EVERYTHING)
    assert sampled_steps(VideoRequest(mode="balanced"), xt) == BALANCED
    assert sampled_steps(VideoRequest(mode="fast"), xt) == FAST
    assert sampled_steps(VideoRequest(mode="fast", steps=14), xt) == replace(FAST, steps=14), "what is given counts"
    few = xt.model_copy(update={"sampling": xt.sampling.model_copy(update={"steps": 6})})
    assert sampled_steps(VideoRequest(mode="fast"), few).steps == 6, "never more than the best one"
    assert tuple(modes_of(mini)) == ("best", "fast")
    assert sampled_steps(VideoRequest(mode="fast"), mini) == SampledSteps(4, "ays", EVERYTHING)


def test_a_preset_names_the_modes_of_its_model(settings: Settings) -> None:
    own = settings.presets_dir / "models" / "own.toml"
    text = 'label = "x"\nsource = "folder"\nfolder = "x"\nwidth = 128\nheight = 72\nframes = 14\n'
    for more, wanted in (
        ("", set(MODES)),
        ("[modes]\n", {"best"}),
        ("[modes.balanced]\nfull_every = 3\n", {"best", "balanced"}),
    ):
        own.write_text(text + more, encoding="utf-8")
        assert set(modes_of(load_presets(settings).model("own"))) == wanted
    assert modes_of(load_presets(settings).model("own"))["balanced"] == Mode(full_every=3)
    for wrong, named in (("[modes.best]\n", "best"), ("[modes.slow]\n", "slow"), ("[modes.fast]\nstep = 4\n", "step")):
        own.write_text(text + wrong, encoding="utf-8")
        with pytest.raises(PresetError, match=named):
            load_presets(settings)


def test_a_mode_that_the_model_lacks_is_refused_when_the_job_comes_in(settings: Settings) -> None:
    check_request(VideoRequest(mode="fast"), settings)
    with pytest.raises(
        BadInput, match="mode is 'balanced', which the model mini does not have; choose one of best, fa"
    ):
        check_request(VideoRequest(mode="balanced"), settings)
    with pytest.raises(BadInput, match="mode is 'quick'; choose one of best, balanced, fast"):
        VideoRequest(mode="quick")  # pyright: ignore[reportArgumentType]


class Photo:
    """Of a known digest."""

    def digest(self) -> str:
        return "photo"


def test_a_checkpoint_belongs_to_its_mode_and_those_of_earlier_versions_to_the_best(
    xt: ModelFolder, presets: Presets
) -> None:
    def key(**changes) -> str:
        request = VideoRequest(model="svd-xt", resolution="720p", seconds=12, seed=7, **changes)
        return resolve(request, PHOTO, xt, presets).key(cast(NormalisedPhoto, Photo()), "weights", 1)

    before_there_were_modes = "61776032ca16868c262cdd6409d70382ecf7e7d30ece29616e1c173b30e5201f"
    keys = [key(), key(mode="balanced"), key(mode="fast"), key(steps=10), key(mode="fast", steps=25)]
    assert keys[0] == before_there_were_modes
    assert len(set(keys)) == len(keys)


def test_the_file_says_what_was_left_out(xt: ModelFolder, presets: Presets) -> None:
    said = resolve(VideoRequest(model="svd-xt", mode="balanced"), PHOTO, xt, presets).metadata()
    assert said["request"]["mode"] == "balanced"
    assert (said["sampling"]["guidance_above"], said["sampling"]["full_every"]) == (0.5, 3)


@pytest.mark.parametrize("steps", [1, 2, 10, 25])
def test_the_noise_levels_that_estimates_count_with_are_the_schedulers(steps: int) -> None:
    for kind, levels in (("karras", karras_sigmas), ("ays", ays_sigmas)):
        given = noise_schedule(scheduler(), steps, kind, torch.device("cpu")).sigmas[:-1]
        assert given.tolist() == pytest.approx(levels(steps), rel=1e-4)


def test_a_step_counts_as_its_share(xt: ModelFolder, presets: Presets) -> None:
    best, balanced, fast = (planned(xt, presets, mode) for mode in MODES)
    assert list(forecasts.step_weights(best)) == [1.0] * 25
    half = cost.CACHED
    unguided = [half / 2, half / 2, 0.5, half / 2, 0.5, 0.5]
    assert list(forecasts.step_weights(balanced)) == [1, 1, half, *[1, half, half] * 5, 1, *unguided]
    assert list(forecasts.step_weights(fast)) == [1.0] * 7 + [0.5] * 3
    assert set(forecasts.step_weights(replace(balanced, guided=False))) == {1.0, half}
    seconds = [forecasts.forecast(one).stage_seconds[Stage.SAMPLING] for one in (best, balanced, fast)]
    assert seconds[1] / seconds[0] == pytest.approx(sum(forecasts.step_weights(balanced)) / 25)
    assert seconds[2] / seconds[0] == pytest.approx(8.5 / 25)


def test_the_features_that_stay_are_counted(xt: ModelFolder, presets: Presets) -> None:
    best, balanced, fast = (planned(xt, presets, mode) for mode in MODES)
    peaks = [cost.peak(one, Stage.SAMPLING) for one in (best, balanced, fast)]
    of_both_branches = 2 * 320 * 2 * (best.width // 8) * (best.height // 8) * 25
    assert peaks[1] - peaks[0] == pytest.approx(of_both_branches * cost.SLACK, abs=2)
    assert peaks[2] == peaks[0]
    two = replace(balanced, two_pass=True)
    assert cost.feature_bytes(two) == cost.feature_bytes(balanced) == of_both_branches


def test_speeds_that_were_measured_do_not_mix(xt: ModelFolder, presets: Presets) -> None:
    plans = {mode: planned(xt, presets, mode) for mode in MODES}
    keys = {forecasts.figure_key(one, Stage.SAMPLING) for one in plans.values()}
    assert len(keys) == 3
    assert forecasts.figure_key(planned(xt, presets, "balanced", steps=40), Stage.SAMPLING) not in keys
    full = {forecasts.figure_key(plans["best"], Stage.SAMPLING): Figure(seconds=2.0)}
    own = {forecasts.figure_key(plans["balanced"], Stage.SAMPLING): Figure(seconds=1.5)}

    def seconds(mode: str, figures: dict[str, Figure]) -> float:
        here = replace(plans[mode], machine=replace(CARD, figures=figures))
        return forecasts.forecast(here).stage_seconds[Stage.SAMPLING] / forecasts.units(here)[Stage.SAMPLING]

    assert seconds("best", full | own) == pytest.approx(2.0)
    assert seconds("balanced", full | own) == pytest.approx(1.5)
    assert seconds("fast", full | own) == pytest.approx(2.0), "a step in full is one, until the mode's own is known"
    assert seconds("best", own) not in (1.5, 2.0)


def test_where_nothing_is_left_out_the_measured_speed_is_that_of_the_best(presets: Presets) -> None:
    """Fewer steps alone, as `mini` has them."""
    mini = ModelFolder(presets.model("mini"), Path("mini"))
    size = replace(FULL, unet=1_000_000, name="mini")
    plans = [plan(CARD, size, work_of(VideoRequest(mode=mode), PHOTO, mini, presets)) for mode in ("best", "fast")]
    assert len({forecasts.figure_key(one, Stage.SAMPLING) for one in plans}) == 1
