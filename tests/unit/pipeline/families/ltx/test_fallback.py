"""Out of memory at every place: each step down ends in a finished video of the size and length that was asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx import AutoencoderKLLTXVideo
from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel
from fanslymotion.errors import RenderError
from fanslymotion.pipeline.families.base import MemoryPlan, Offload, Work
from fanslymotion.pipeline.families.flow.text import text_encoder
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.ltx.cost import COST
from fanslymotion.pipeline.families.ltx.folder import FOLDERS, FULL
from fanslymotion.pipeline.families.ltx.sampling import DEV
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import probe
from fanslymotion.pipeline.memory.planner import next_fallback, plan
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.tests.soak import soak

from ..conftest import build

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
GPU = replace(CPU, device="cuda", name="a large GPU", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)
LTX = replace(FULL, width=1216, height=704, frames=161)
PLACES: dict[str, tuple[Any, str]] = {
    "text": (text_encoder, "read_encoder"),
    "encode": (AutoencoderKLLTXVideo, "encode"),
    "step": (LTXVideoTransformer3DModel, "forward"),
    "decode": (AutoencoderKLLTXVideo, "decode"),
}


@pytest.fixture
def make(make_with: Callable, tiny_ltx: Path) -> Callable:
    def call(**changes: Any) -> Any:
        request = VideoRequest(resolution="small", seconds=4, quality="standard", seed=7, prompt="rain", detail=False)
        return make_with(tiny_ltx, request, **{"model_cache": ModelCache(), **changes})

    return call


@pytest.mark.parametrize(
    ("place", "times", "machine"),
    [
        ("step", 3, GPU),
        *soak(("decode", 4, GPU), ("text", 4, GPU), ("encode", 1, GPU), ("decode", 2, CPU)),
    ],
)
def test_each_step_down_ends_in_a_finished_video(
    make: Callable, failing: Callable, monkeypatch: pytest.MonkeyPatch, place: str, times: int, machine: Machine
) -> None:
    """On a GPU with the offloads' real hooks, computed on the CPU."""

    def of(plan: MemoryPlan) -> Placement:
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))
    with failing(*PLACES[place], times) as left:
        result = make(machine=machine)
    assert left == [0]
    info = probe(result.path)
    assert (info.width, info.height, info.fps, info.frames) == (128, 72, 24, 96)
    warned = [str(warning) for warning in result.warnings if str(warning).startswith("Out of memory")]
    assert len(warned) == times


@pytest.mark.parametrize(("place", "times"), [("text", 2), *soak(("step", 3))])
def test_a_guided_job_steps_down_with_its_guidance(
    make_with: Callable, failing: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, times: int
) -> None:
    """The same frames as where the memory suffices: weights wait elsewhere, and both passes are still computed."""
    folder = build("ltx", tmp_path, sampling=DEV)
    request = VideoRequest(resolution="small", seconds=1, quality="standard", seed=7, steps=3, detail=False)

    def of(plan: MemoryPlan) -> Placement:
        return Placement(torch.device("cpu"), torch.float32, plan.offload)

    monkeypatch.setattr(Placement, "of", staticmethod(of))
    measures: dict[str, Any] = {}
    with failing(*PLACES[place], times) as left:
        result = make_with(folder, request, machine=GPU, measures=measures, model_cache=ModelCache())
    whole: dict[str, Any] = {}
    other = replace(GPU, name="another card")  # of this one it is known by now that it is too small
    make_with(folder, request, machine=other, measures=whole, work=tmp_path / "whole", model_cache=ModelCache())
    assert left == [0]
    assert len([one for one in result.warnings if str(one).startswith("Out of memory")]) == times
    assert (measures["plan"].guided, measures["plan"].device) == (True, "cuda")
    assert measures["plan"].offload is not whole["plan"].offload
    assert measures["frames_sha256"] == whole["frames_sha256"]


def test_the_last_step_is_said(make: Callable, failing: Callable) -> None:
    with failing(*PLACES["step"], 99), pytest.raises(RenderError, match="the memory is too small"):
        make(machine=CPU)


def test_video_memory_is_planned_with_the_text_encoder() -> None:
    """What does not fit as a whole comes block by block: no card needs room for all of T5."""
    work = Work(832, 480, 145, 8, False, shown_frames=288, shown_pixels=848 * 480)
    for total in (8, 12, 16, 24, 80):
        machine = replace(GPU, vram_total=total * GIB, vram_free=int(total * 0.92 * GIB), ram_free=48 * GIB)
        found = plan(machine, LTX, work)
        assert found.dtype == "bfloat16"
        assert forecast(found).fits, total
        assert found.device == "cuda"
        if total <= 12:
            assert found.offload is not Offload.NONE
    assert plan(replace(GPU, vram_total=80 * GIB, vram_free=78 * GIB), LTX, work).offload is Offload.NONE


def test_ram_holds_the_text_encoder_before_the_rest() -> None:
    work = Work(832, 480, 145, 8, False)
    for offload in Offload:
        now = replace(plan(GPU, LTX, work), offload=offload)
        parts = COST.weights(now)
        assert forecast(now).ram >= parts["text_encoder"]
        assert forecast(now).ram < sum(parts.values())
    cpu = plan(CPU, LTX, work)
    assert forecast(cpu).peaks[Stage.LOADING] > COST.weights(cpu)["text_encoder"]


def test_attention_grows_with_the_square_of_the_tokens() -> None:
    small, large = (plan(GPU, LTX, Work(width, 512, 145, 8, False)) for width in (512, 1024))
    linear = 2 * LTX.unet * (16 * 16 * 19)
    quadratic = [COST.operations(small) - linear, COST.operations(large) - 2 * linear]
    assert quadratic[1] == pytest.approx(4 * quadratic[0])
    assert COST.operations(plan(GPU, LTX, Work(1216, 704, 145, 8, False))) * 8 == pytest.approx(0.95e15, rel=0.1)


def test_on_a_cpu_the_windows_keep_their_length() -> None:
    """Shorter windows than the frames they share would never come to an end."""
    now: MemoryPlan | None = plan(CPU, LTX, Work(1216, 704, 288, 8, False))
    while now is not None:
        assert now.window == LTX.frames
        now = next_fallback(now)


def test_the_tiny_model_is_measured(tiny_ltx: Path) -> None:
    found = FOLDERS.size(tiny_ltx, FOLDERS.preset(tiny_ltx))
    assert not found.large
    assert 0 < found.unet < 200_000
    assert 0 < found.vae < 400_000
    assert 0 < found.text_encoder < 100_000
    assert found.attention == 2 * 32
    assert FOLDERS.size(tiny_ltx / "absent", FOLDERS.preset(tiny_ltx)).unet == FULL.unet
