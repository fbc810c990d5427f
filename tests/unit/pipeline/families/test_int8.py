"""8-bit weights: near the exact ones, half as large, settled before the job, and the same after a break."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import BadInput, HandBack
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.weights.int8 import Int8Linear, to_int8
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

CPU = torch.device("cpu")
LAYERS = {"ltx": tiny_lora.LTX, "wan": tiny_lora.WAN}


def load(folder: ModelFolder, offload: Offload = Offload.NONE) -> Any:
    placement = Placement(CPU, torch.float32, offload)
    return family(folder.preset.family).load(folder, placement, lambda part: None, True)


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40), st.floats(1e-6, 1e3))
def test_each_weight_is_off_by_half_a_step_of_its_row(seed: int, rows: int, columns: int, size: float) -> None:
    layer = nn.Linear(columns, rows)
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * size
    weight[0] = 0.0
    layer.weight.data = weight
    found = Int8Linear(layer, CPU)
    back = found.weight.float() * found.scale
    assert found.weight.dtype == torch.int8
    assert torch.all((back - weight).abs() <= weight.abs().amax(1, keepdim=True) / 127 * 0.5001)
    x = torch.randn(3, columns, generator=torch.Generator().manual_seed(seed + 1))
    torch.testing.assert_close(found(x), nn.functional.linear(x, back, layer.bias))


def test_the_blocks_are_rounded_and_nothing_else(model: Any) -> None:
    found = load(replace(model.model, int8=True)).transformer
    kept, rounded = dict(model.transformer.named_modules()), 0
    for path, module in found.named_modules():
        if isinstance(module, Int8Linear):
            assert "blocks." in path
            rounded += 1
        elif isinstance(module, nn.Linear):
            assert "blocks." not in path
            assert torch.equal(module.weight, kept[path].weight)
    assert rounded == sum(isinstance(one, nn.Linear) and "blocks." in path for path, one in kept.items())


def test_both_transformers_of_a_pair_are_rounded(wan_a14b: Any) -> None:
    found = load(replace(wan_a14b.model, int8=True))
    for part in ("transformer", "transformer_2"):
        exact = [type(one) for one in wan_a14b.experts.bring(part).modules()]
        rounded = [type(one) for one in found.experts.bring(part).modules()]
        assert rounded.count(Int8Linear) > exact.count(nn.Linear) / 2
    assert found.whole


def test_eight_bit_floats_would_be_further_off(model: Any) -> None:
    """Why integers: diffusers' layerwise casting to `float8_e4m3fn` is what it had already."""
    layers = [one for one in model.transformer.modules() if isinstance(one, nn.Linear) and one.in_features >= 16]
    assert layers
    for layer in layers:
        x = torch.randn(64, layer.in_features, generator=torch.Generator().manual_seed(1))
        exact, found = (
            nn.functional.linear(x, layer.weight),
            nn.functional.linear(x, layer.weight.to(torch.float8_e4m3fn).float()),
        )
        ours = Int8Linear(layer, CPU)(x) - (0 if layer.bias is None else layer.bias)
        assert (ours - exact).norm() < 0.5 * (found - exact).norm()
        assert (ours - exact).norm() < 0.012 * exact.norm()


def asked(**changes: Any) -> VideoRequest:
    return VideoRequest("small", 1, "standard", seed=7, steps=2, detail=False, int8=True, **changes)


@pytest.fixture
def make(run: Callable, model: Any, warm: Any) -> Callable:
    def call(request: VideoRequest, **changes: Any) -> Any:
        return run(request, **{"model": model.model, "model_cache": warm, **changes})

    return call


@pytest.mark.parametrize("name", ["ltx"])
def test_a_job_with_them_goes_on_with_them_alone(make: Callable, tmp_path: Path) -> None:
    whole: dict[str, Any] = {}
    result = make(asked(), measures=whole, work=tmp_path / "whole")
    assert read_metadata(result.path)["request"]["int8"] is True

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    def interrupted(request: VideoRequest, work: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with pytest.raises(HandBack):
            make(asked(), progress=hand_back, work=work)
        make(request, measures=found, work=work)
        return found

    found = interrupted(asked(), tmp_path / "same")
    assert (found["resumed"], found["frames_sha256"]) == ((0, 1), whole["frames_sha256"])
    found = interrupted(replace(asked(), int8=False), tmp_path / "exact")
    assert found["resumed"] is None
    assert found["frames_sha256"] != whole["frames_sha256"]


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offloaded_they_compute_the_same(model: Any, offload: Offload) -> None:
    folder = replace(model.model, int8=True)
    at_once, in_parts = load(folder), load(folder, offload)
    layer = next(path for path, one in at_once.transformer.named_modules() if isinstance(one, Int8Linear))
    here, there = (one.bring("transformer").get_submodule(layer) for one in (at_once, in_parts))
    x = torch.randn(2, here.weight.shape[1], generator=torch.Generator().manual_seed(1))
    assert torch.equal(here(x), there(x))
    assert in_parts.whole


def test_a_lora_is_added_before_they_are_rounded(model: Any, name: str, tmp_path: Path) -> None:
    layers = tiny_lora.matrices(model.transformer, LAYERS[name])
    path = tiny_lora.write(tmp_path / "style.safetensors", tiny_lora.own_layout(layers))
    changed = replace(model.model, loras=(tiny_lora.lora(path),))
    fused, found = load(changed).transformer, load(replace(changed, int8=True)).transformer
    to_int8(fused, CPU)
    theirs = fused.state_dict()
    assert found.state_dict().keys() == theirs.keys()
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in found.state_dict().items())


CARD = Machine(
    device="cuda", name="24 GB", vram_total=24 * GIB, vram_free=22 * GIB, ram_total=64 * GIB, ram_free=58 * GIB,
    gpu_speed=20.0, cores=8,
)  # fmt: skip


def test_a_large_model_fits_a_card_with_them(settings: Settings) -> None:
    presets = load_presets(settings)
    folder = ModelFolder(presets.model("ltx-13b"), Path("absent"))
    request = VideoRequest(resolution="720p", model="ltx-13b")
    exact, found = (
        plan_request(replace(request, int8=int8), (1600, 900), folder, presets, settings, machine=CARD)
        for int8 in (False, True)
    )
    assert exact.offload is not Offload.NONE
    assert found.offload is Offload.NONE
    assert forecast(found).fits
    assert found.model.name != exact.model.name, "what is measured of one says nothing of the other"


def test_a_model_that_cannot_says_so(settings: Settings) -> None:
    with pytest.raises(BadInput, match="int8 is True, but the model mini has no such setting"):
        check_request(VideoRequest(model="mini", int8=True), settings)
