"""Models compiled for their device: settled before the first step, the same after a resume, and never a job's end.

Compiled by dynamo alone, which needs no C compiler and gives the numbers of the blocks as they are.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import HandBack
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.checkpoint import newest_note
from fanslymotion.pipeline.families.svd import FAMILY
from fanslymotion.pipeline.families.svd.model import choose_placement, load
from fanslymotion.pipeline.families.weights.compiling import Compiler
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.memory.fallback import COMPILER_AT_WORK
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.settings import Settings
from fanslymotion.tests.studio import wait_for

HERE = Machine(device="cpu", compiles=True)
"""Without a GPU, as if a compiler could be used."""


@pytest.fixture(autouse=True)
def quiet_dynamo() -> Iterator[None]:
    """Its trace is thousands of records, which pytest would keep."""
    trace = logging.getLogger("torch.__trace")
    trace.disabled, before = True, trace.disabled
    yield
    trace.disabled = before


@pytest.fixture(scope="module")
def cache() -> ModelCache:
    return ModelCache(compiler=Compiler("eager", channels_last=False))


@pytest.fixture
def make(run: Callable, settings: Settings, cache: ModelCache, fast: VideoRequest, tmp_path: Path) -> Callable:
    """Make a video named `name`, with `Settings.compile` as `setting`. Return its measures, warnings and metadata."""

    def call(name: str, setting: str = "always", request: VideoRequest = fast, **changes: Any) -> dict[str, Any]:
        measures: dict[str, Any] = {}
        known = {
            "renderers": cache,
            "machine": HERE,
            "work": tmp_path / f"work-{name}",
            "out": tmp_path / f"{name}.mp4",
        }
        known |= {"settings": replace(settings, compile=setting), "measures": measures}
        done = run(request, **(known | changes))
        return measures | {"warnings": done.warnings, "said": read_metadata(done.path)["sampling"]["compiled"]}

    return call


@pytest.fixture
def brief(fast: VideoRequest) -> VideoRequest:
    """One window: for what shows before its second step."""
    return replace(fast, seconds=1)


def stop_at(step: int) -> Callable[[Progress], None]:
    def progress(p: Progress) -> None:
        if p.stage is Stage.SAMPLING and p.step >= step:
            raise HandBack

    return progress


def test_a_compiled_video_has_the_same_frames_and_is_resumed_compiled(make: Callable, tmp_path: Path) -> None:
    told: list[Progress] = []
    eager, compiled = make("eager", "never"), make("compiled", progress=told.append)
    assert [one["plan"].compiled for one in (compiled, eager)] == [True, False]
    assert [one["said"] for one in (compiled, eager)] == [True, False]
    assert torch.equal(compiled["latents"], eager["latents"])
    assert [step for step, _ in groupby(p.step for p in told if p.part == "compiler")] == [0, 1]

    with suppress(HandBack):
        make("stopped", progress=stop_at(5), checkpoint_seconds=0)
    assert newest_note(tmp_path / "work-stopped").values["compiled"]
    resumed = make("stopped", "auto", progress=told.append)
    assert resumed["resumed"] == (1, 2)
    assert resumed["plan"].compiled
    assert not resumed["warnings"][1:]
    assert torch.equal(resumed["latents"], compiled["latents"])


@pytest.mark.soak
@pytest.mark.soak
def test_a_worker_that_is_stopped_meanwhile_has_not_died_of_the_compiler(make: Callable, tmp_path: Path) -> None:
    mark = tmp_path / "work-stopped" / COMPILER_AT_WORK
    asked = threading.Event()

    def slow(graph: Any, inputs: Any) -> Any:
        asked.set()
        wait_for(lambda: not mark.exists())
        return graph.forward

    def stop(moment: Progress) -> None:
        if asked.is_set():
            raise HandBack

    with pytest.raises(HandBack):
        make("stopped", renderers=ModelCache(compiler=Compiler(slow, channels_last=False)), progress=stop)
    asked.clear()
    done = make("stopped")  # by what the test before has compiled
    assert (done["plan"].compiled, done["warnings"][1:]) == (True, ())


def test_a_resume_that_cannot_compile_goes_on_without_and_says_so(make: Callable, tmp_path: Path) -> None:
    with suppress(HandBack):
        make("moved", progress=stop_at(4), checkpoint_seconds=0)
    with suppress(HandBack):
        make("moved", machine=replace(HERE, compiles=False), progress=stop_at(5), checkpoint_seconds=0)
    assert not newest_note(tmp_path / "work-moved").values["compiled"]
    done = make("moved")
    assert done["resumed"] is not None
    assert not done["plan"].compiled, "it stays as it went on"
    with suppress(HandBack):
        make("moved again", progress=stop_at(4), checkpoint_seconds=0)
    done = make("moved again", "never")
    assert done["resumed"] is not None
    assert any("begun with a compiled model" in str(warning) for warning in done["warnings"])


def test_the_first_video_is_never_compiled_by_itself(make: Callable, brief: VideoRequest, settings: Settings) -> None:
    cache = ModelCache(compiler=Compiler("eager", channels_last=False))
    done = make("first", "auto", brief, renderers=cache)
    assert not done["plan"].compiled
    (entry,) = Measurements(settings.home).read().compiling.values()
    assert entry.lost > 0
    assert not entry.processes


def fail(graph: Any, inputs: Any) -> Any:
    raise RuntimeError("no kernel for this card")


def test_a_compiler_that_fails_ends_no_job_and_is_not_tried_again(
    make: Callable, brief: VideoRequest, settings: Settings
) -> None:
    cache = ModelCache(compiler=Compiler(fail, channels_last=False))
    done = make("failing", request=brief, renderers=cache)
    assert (done["plan"].compiled, done["said"]) == (False, False)
    assert any("no kernel for this card" in str(warning) for warning in done["warnings"])
    assert cache.compiler.failed
    (entry,) = Measurements(settings.home).read().compiling.values()
    assert entry.failures == 1
    again = make("after it", request=brief, renderers=cache)
    assert not again["plan"].compiled
    assert not any("compiled" in str(warning) for warning in again["warnings"])
    assert torch.equal(done["latents"], again["latents"])


def test_a_worker_that_died_of_the_compiler_does_not_compile_the_job_again(
    make: Callable, brief: VideoRequest, tmp_path: Path
) -> None:
    mark = tmp_path / "work-died" / COMPILER_AT_WORK
    mark.parent.mkdir()
    mark.touch()
    done = make("died", request=brief)
    assert not done["plan"].compiled
    assert any("ended while the model was compiled" in str(warning) for warning in done["warnings"])
    assert not mark.exists()


@pytest.mark.soak
@pytest.mark.soak
def test_deep_features_are_used_again_between_compiled_steps(
    make: Callable, fast: VideoRequest, settings: Settings, presets: Presets
) -> None:
    found = find_model("mini", presets, settings)
    model = replace(found, preset=found.preset.model_copy(update={"modes": None}))
    changes: dict[str, Any] = {"request": replace(fast, mode="balanced", steps=6), "model": model}
    compiled, eager = make("balanced", **changes), make("balanced, eager", "never", **changes)
    assert compiled["plan"].compiled
    assert torch.equal(compiled["latents"], eager["latents"])


@pytest.mark.parametrize("shortcuts", [False, True])
def test_layouts_and_blocks_are_as_before_once_it_is_taken_off(
    settings: Settings, presets: Presets, shortcuts: bool
) -> None:
    """With the shortcuts a UNet on a CPU has channels last before, and keeps them."""
    model: Any = load(find_model("mini", presets, settings), choose_placement(), shortcuts=shortcuts)
    strides = {name: value.stride() for name, value in model.unet.named_parameters()}
    compiler = Compiler()
    compiler.suit(model, FAMILY.blocks, True)
    changed = {name for name, value in model.unet.named_parameters() if value.stride() != strides[name]}
    assert ("conv_in.weight" in changed) is not shortcuts
    assert any(block._compiled_call_impl is not None for block in model.vae.decoder.modules())
    compiler.suit(model, FAMILY.blocks, False)
    assert strides == {name: value.stride() for name, value in model.unet.named_parameters()}
    assert all(block._compiled_call_impl is None for part in (model.unet, model.vae) for block in part.modules())
    assert model.compiled is None
