"""Memory plans of two transformers; out of memory at every place ends in a finished video of the asked size."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import WanDecoder3d, WanEncoder3d
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from fanslymotion.pipeline.families.base import MemoryPlan, Offload, Work
from fanslymotion.pipeline.families.flow.text import text_encoder
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.wan import tiles
from fanslymotion.pipeline.families.wan_a14b.cost import COST, in_turn
from fanslymotion.pipeline.families.wan_a14b.experts import Experts
from fanslymotion.pipeline.families.wan_a14b.folder import FULL
from fanslymotion.pipeline.families.wan_a14b.random_model import build
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe
from fanslymotion.pipeline.memory.planner import after_oom_kill, describe_change, next_fallback, plan
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.tests.soak import soak

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
GPU = replace(CPU, device="cuda", name="a large GPU", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)
SMALL = Work(848, 480, 96, 4, False, shown_frames=96, shown_pixels=848 * 480)
NATIVE = replace(SMALL, width=1280, height=720, shown_pixels=1280 * 720)
LONG = replace(SMALL, frames=192, shown_frames=384)
PLACES: dict[str, tuple[Any, str]] = {
    "text": (text_encoder, "read_encoder"),
    "encode": (WanEncoder3d, "forward"),
    "read": (Experts, "_take"),
    "step": (WanTransformer3DModel, "forward"),
    "decode": (WanDecoder3d, "forward"),
}


def gpu(vram: int, ram: int) -> Machine:
    return replace(
        GPU,
        vram_total=vram * GIB,
        vram_free=int(vram * 0.92 * GIB),
        ram_total=ram * GIB,
        ram_free=(ram - 4) * GIB,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that draws 80×48 pixels: more than a tile."""
    return build(tmp_path_factory.mktemp("wan_a14b") / "wider", width=64, height=64, frames=33)


@pytest.mark.parametrize(
    ("place", "times", "machine"),
    [
        ("read", 2, GPU),
        *soak(("encode", 2, GPU), ("text", 1, GPU), ("step", 3, GPU), ("decode", 4, GPU), ("decode", 2, CPU)),
    ],
)
def test_each_step_down_ends_in_a_finished_video(
    make_with: Callable,
    failing: Callable,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    times: int,
    machine: Machine,
) -> None:
    """On a GPU with the offloads' real hooks, computed on the CPU. Tiles are small enough for the tiny picture."""
    monkeypatch.setattr(tiles, "SIDES", {2: 32, 1: 16})

    def of(plan: MemoryPlan) -> Placement:
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))
    request = VideoRequest(resolution="small", seconds=1, seed=7, prompt="rain", steps=2, detail=False)
    with failing(*PLACES[place], times) as left:
        result = make_with(folder, request, machine=machine, renderers=ModelCache())
    assert left == [0]
    info = probe(result.path)
    assert (info.width, info.height, info.fps, info.frames) == (128, 72, 16, 16)
    warned = [str(warning) for warning in result.warnings if str(warning).startswith("Out of memory")]
    assert len(warned) == times


def test_ram_decides_whether_both_wait_there() -> None:
    """Two of 28.6 GB; with less RAM each is read from the disk in its turn, and the plan says so."""
    one = COST.weights(plan(GPU, FULL, SMALL))["transformer"]
    assert one == 2 * 14_288_901_184
    roomy, short = plan(gpu(80, 128), FULL, SMALL), plan(gpu(80, 48), FULL, SMALL)
    assert (roomy.offload, roomy.in_turn, forecast(roomy).fits) == (Offload.NONE, False, True)
    assert (short.offload, short.in_turn, forecast(short).fits) == (Offload.NONE, True, True)
    assert forecast(roomy).ram - forecast(short).ram == one
    assert "each transformer read when its turn comes" in str(short.placement)
    assert "its turn" not in str(roomy.placement)
    assert short.settings["in_turn"] is True
    assert not forecast(plan(gpu(24, 16), FULL, SMALL)).fits, "one alone does not fit into 12 GB"


def test_the_forecast_counts_the_reading() -> None:
    """Twice in each window where they are read in turn, else twice in all; no more on the card for that."""
    both = plan(gpu(80, 128), FULL, LONG)
    turned = replace(both, in_turn=True)
    taken = [forecast(now).stage_seconds[Stage.SAMPLING] for now in (both, turned)]
    assert taken[1] - taken[0] == pytest.approx(2 * COST.weights(both)["transformer"] / GIB)
    assert forecast(both).peaks == forecast(turned).peaks
    assert forecast(both).peaks[Stage.SAMPLING] < 2 * COST.weights(both)["transformer"], "one at a time"


def test_after_ram_ran_out_they_are_read_in_turn() -> None:
    both = plan(gpu(16, 128), FULL, SMALL)
    assert not both.in_turn
    for below in (next_fallback(both, Stage.SAMPLING, ram=True), after_oom_kill(both, Stage.SAMPLING)):
        assert below == replace(both, in_turn=True)
        assert "each transformer read when its turn comes" in str(describe_change(both, below))
    again = next_fallback(replace(both, in_turn=True), Stage.SAMPLING, ram=True)
    assert again is None or again.in_turn


def test_locked_pages_may_leave_room_for_one_only() -> None:
    """Both fit as they are, but not in page-locked memory, which takes more."""
    machine = gpu(48, 70)
    now = plan(machine, FULL, SMALL)
    assert not now.in_turn
    while now.offload is not Offload.GROUP:
        found = next_fallback(now, Stage.SAMPLING)
        assert found is not None
        now = found
    assert now.in_turn


def test_a_processor_holds_one() -> None:
    now = plan(replace(CPU, cpu_bf16=True), FULL, SMALL)
    assert now.device == "cpu"
    assert in_turn(now)
    assert forecast(now).peaks[Stage.SAMPLING] < 1.5 * COST.weights(now)["transformer"]


@pytest.mark.parametrize("work", [SMALL, NATIVE, LONG])
def test_a_card_of_any_size_gets_a_plan_of_its_own(work: Work) -> None:
    for total in (8, 12, 16, 24, 48, 80):
        found = plan(gpu(total, 64), FULL, work)
        assert (found.dtype, found.device) == ("bfloat16", "cuda"), total
        assert forecast(found).fits, total
    assert plan(gpu(80, 128), FULL, NATIVE).width == 1280


def test_the_work_is_that_of_one_transformer() -> None:
    """Research: 9.5 PFLOP for four passes of 97 frames at 832×480."""
    now = plan(gpu(80, 128), FULL, replace(SMALL, width=832))
    assert COST.tokens(now) == 25 * 52 * 30
    assert 4 * COST.operations(now) == pytest.approx(9.5e15, rel=0.03)
