"""Out of memory at every place: each step down ends in a finished video of the size and length that was asked for."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan, WanDecoder3d
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from fanslymotion.errors import RenderError
from fanslymotion.pipeline.families.base import MemoryPlan, Offload, Work
from fanslymotion.pipeline.families.flow.text import text_encoder
from fanslymotion.pipeline.families.forecast import figure_key, forecast, units
from fanslymotion.pipeline.families.modes import sampled_steps
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.families.wan import tiles
from fanslymotion.pipeline.families.wan.cost import COST
from fanslymotion.pipeline.families.wan.folder import FULL
from fanslymotion.pipeline.families.wan.model import WanModel
from fanslymotion.pipeline.families.wan.random_model import build
from fanslymotion.pipeline.families.wan.tiles import spans
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe
from fanslymotion.pipeline.memory.planner import next_fallback, plan
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.tests.soak import soak

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
GPU = replace(CPU, device="cuda", name="a large GPU", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)
SMALL = Work(832, 480, 144, 50, True, shown_frames=144, shown_pixels=848 * 480)
NATIVE = replace(SMALL, width=1280, height=704, shown_pixels=1280 * 720)
PLACES: dict[str, tuple[Any, str]] = {
    "text": (text_encoder, "read_encoder"),
    "encode": (AutoencoderKLWan, "encode"),
    "step": (WanTransformer3DModel, "forward"),
    "decode": (WanDecoder3d, "forward"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that draws 128×64 pixels: more than a tile."""
    return build(tmp_path_factory.mktemp("wan") / "wider", width=128, height=64)


@pytest.fixture
def make(make_with: Callable, folder: Path) -> Callable:
    def call(**changes: Any) -> Any:
        request = VideoRequest(resolution="small", seconds=1, seed=7, prompt="rain", steps=2, detail=False)
        return make_with(folder, request, **{"renderers": ModelCache(), **changes})

    return call


@pytest.mark.parametrize(
    ("place", "times", "machine"),
    [
        ("text", 4, GPU),
        *soak(("encode", 1, GPU), ("step", 3, GPU), ("decode", 4, GPU), ("decode", 2, CPU)),
    ],
)
def test_each_step_down_ends_in_a_finished_video(
    make: Callable, failing: Callable, monkeypatch: pytest.MonkeyPatch, place: str, times: int, machine: Machine
) -> None:
    """On a GPU with the offloads' real hooks, computed on the CPU. Tiles are small enough for the tiny picture."""
    monkeypatch.setattr(tiles, "SIDES", {2: 64, 1: 32})

    def of(plan: MemoryPlan) -> Placement:
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))
    with failing(*PLACES[place], times) as left:
        result = make(machine=machine)
    assert left == [0]
    info = probe(result.path)
    assert (info.width, info.height, info.fps, info.frames) == (128, 72, 24, 24)
    warned = [str(warning) for warning in result.warnings if str(warning).startswith("Out of memory")]
    assert len(warned) == times


def test_the_last_step_is_said(make: Callable, failing: Callable) -> None:
    with failing(*PLACES["step"], 99), pytest.raises(RenderError, match="the memory is too small"):
        make(machine=CPU)


@pytest.mark.parametrize("length", [1, 16, 17, 20, 31, 44, 80, 120])
@pytest.mark.parametrize("most", [16, 32])
def test_tiles_cover_a_side_and_overlap(length: int, most: int) -> None:
    made = spans(length, most)
    assert (made[0].start, made[0].shared, made[-1].end) == (0, 0, length)
    assert all(span.end - span.start == min(most, length) for span in made)
    for one, other in pairwise(made):
        assert other.shared == one.end - other.start >= most // 4
        assert other.weights[0] < 0.01
        assert other.weights[-1] == 1


def test_a_picture_in_tiles_has_all_frames_and_hardly_differs(wan: WanModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "SIDES", {2: 128, 1: 64})
    latents = torch.randn((1, 2, 48, 8, 16), generator=torch.Generator().manual_seed(3))
    whole = np.concatenate(list(wan.decode(latents, 4)))
    assert whole.shape == (5, 128, 256, 3)
    apart = {}
    for chunk in (2, 1):
        tiled = np.concatenate(list(wan.decode(latents, chunk)))
        assert tiled.shape == whole.shape
        apart[chunk] = np.abs(tiled.astype(int) - whole).mean()
    assert 0 < apart[2] < apart[1] < 16, "grey levels, of noise in random weights and tiles of 4 latent pixels"
    one, other = (np.concatenate(list(wan.decode(latents[..., :8], chunk))) for chunk in (4, 2))
    assert np.array_equal(one, other), "a tile would be more than half of it"


@pytest.mark.parametrize("work", [SMALL, NATIVE, replace(SMALL, frames=288, shown_frames=576)])
def test_a_card_of_any_size_gets_a_plan_of_its_own(work: Work) -> None:
    """What does not fit as a whole comes in parts: blocks, tiles, a smaller picture."""
    for total in (8, 12, 16, 24, 80):
        machine = replace(GPU, vram_total=total * GIB, vram_free=int(total * 0.92 * GIB), ram_free=48 * GIB)
        found = plan(machine, FULL, work)
        assert (found.dtype, found.device) == ("bfloat16", "cuda"), total
        assert forecast(found).fits, total
        if total <= 12:
            assert found.offload is not Offload.NONE
    assert plan(replace(GPU, vram_total=80 * GIB, vram_free=78 * GIB), FULL, work).offload is Offload.NONE


def test_ram_holds_the_text_encoder_before_the_rest() -> None:
    for offload in Offload:
        now = replace(plan(GPU, FULL, SMALL), offload=offload)
        assert forecast(now).ram >= COST.weights(now)["text_encoder"] == 2 * 5_680_910_336
    cpu = plan(CPU, FULL, SMALL)
    assert forecast(cpu).peaks[Stage.LOADING] > COST.weights(cpu)["text_encoder"]
    assert cpu.guided, "without it the model draws hardly what the prompt says, whatever the time"


def test_the_work_is_that_of_two_passes() -> None:
    """Research: 57 PFLOP for 40 steps of 145 frames at 1280×704, with guidance."""
    now = plan(replace(GPU, vram_total=80 * GIB, vram_free=78 * GIB), FULL, NATIVE)
    assert COST.tokens(now) == 37 * 40 * 22
    assert COST.operations(now) * 40 == pytest.approx(57e15, rel=0.05)
    half = replace(now, work=replace(NATIVE, effort=Effort(guidance_above=0.8)))
    assert 25 < units(half)[Stage.SAMPLING] == sum(COST.step_weights(half)) < units(now)[Stage.SAMPLING] == 50
    unguided = replace(now, guided=False)
    assert COST.operations(now) == 2 * COST.operations(unguided)


def test_residuals_that_are_used_again_take_memory_and_spare_time(presets: Presets) -> None:
    """27 of 50 steps are whole. Kept are two residuals, beside the tokens before the blocks, in 2-byte numbers."""
    now = plan(replace(GPU, vram_total=80 * GIB, vram_free=78 * GIB), FULL, NATIVE)
    balanced = sampled_steps(VideoRequest(model="wan-5b", mode="balanced"), presets.model("wan-5b"))
    assert balanced.steps == 50
    again = replace(now, work=replace(NATIVE, effort=balanced.effort))
    assert units(again)[Stage.SAMPLING] == pytest.approx(27 + 23 * 0.02)
    more = COST.peak(again, Stage.SAMPLING) - COST.peak(now, Stage.SAMPLING)
    assert more == pytest.approx(3 * COST.tokens(now) * FULL.channels * 2, rel=0.25)
    assert figure_key(again, Stage.SAMPLING) != figure_key(now, Stage.SAMPLING)


def test_on_a_cpu_the_windows_keep_their_length() -> None:
    now: MemoryPlan | None = plan(CPU, FULL, replace(NATIVE, frames=288))
    while now is not None:
        assert now.window == FULL.frames
        now = next_fallback(now)
