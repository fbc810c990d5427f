"""GGUF weights: the values that the format defines, computed alike wherever they wait, and the same after a break."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from diffusers.quantizers.gguf.utils import GGUFParameter, dequantize_functions
from fanslymotion.errors import HandBack, ModelError
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import Lora, LoraFile, ModelFolder, Offload
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.ltx.folder import FOLDERS as LTX_FOLDERS
from fanslymotion.pipeline.families.ltx.folder import FULL as LTX_FULL
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.weights.files import packed as packed_module
from fanslymotion.pipeline.families.weights.files.contents import PLAIN
from fanslymotion.pipeline.families.weights.files.gguf_header import READABLE
from fanslymotion.pipeline.families.weights.files.gguf_linear import GgufLinear, values
from fanslymotion.pipeline.families.weights.files.header import weights_fingerprint
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_gguf
from gguf import GGMLQuantizationType as Kind

CPU = torch.device("cpu")
BLOCKS = tiny_gguf.in_blocks(Kind.Q4_0)
Files = Callable[..., tuple[ModelFolder, dict[str, np.ndarray]]]


def load(folder: ModelFolder, offload: Offload = Offload.NONE, dtype: torch.dtype = torch.float32) -> Any:
    return family(folder.preset.family).load(folder, Placement(CPU, dtype, offload), lambda part: None, True)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Write a tiny model's transformer as a GGUF file. Return the model that uses it, and its values."""

    def call(model: Any, choose: Any = BLOCKS, **how: Any) -> tuple[ModelFolder, dict[str, np.ndarray]]:
        place = tmp_path / "weights.gguf"
        meant = tiny_gguf.write(place, model.transformer.state_dict(), model.model.preset.family, choose, **how)
        preset = model.model.preset.model_copy(update={"weights": (str(place),), "base": model.model.name})
        return ModelFolder(preset, model.model.folder), meant

    return call


def test_the_types_are_those_that_diffusers_expands() -> None:
    assert {kind.name for kind in dequantize_functions} | PLAIN == READABLE


@pytest.mark.parametrize("name", sorted(READABLE))
def test_values_are_those_of_the_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind[name]
    numbers = np.random.default_rng(1).normal(size=(5, 512)).astype(np.float32)
    data = tiny_gguf.quantised(numbers, kind)
    meant = torch.from_numpy(gguf.quants.dequantize(data, kind))
    read = torch.from_numpy(data)
    read = read if name in ("F32", "F16") else GGUFParameter(read, quant_type=kind)
    assert torch.equal(values(read).float(), meant)
    if name in PLAIN:
        return
    layer, x = GgufLinear(torch.from_numpy(data), kind, torch.ones(5)), torch.randn(3, 512)
    assert torch.equal(layer(x), torch.nn.functional.linear(x, meant, torch.ones(5)))
    assert torch.equal(layer.expanded(torch.bfloat16), meant.bfloat16())
    monkeypatch.setattr(packed_module, "TOGETHER", 1024)  # two rows at once, and one
    assert torch.equal(layer.expanded(torch.float32), meant)
    assert torch.equal(layer.expanded(torch.bfloat16), meant.bfloat16())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_transformer_has_the_files_values(model: Any, files: Files, dtype: torch.dtype) -> None:
    folder, meant = files(model)
    found = load(folder, dtype=dtype).transformer
    packed = {path: one for path, one in found.named_modules() if isinstance(one, GgufLinear)}
    assert packed
    for path, layer in packed.items():
        assert "blocks." in path
        assert torch.equal(layer.expanded(torch.float32), torch.from_numpy(meant[f"{path}.weight"]))
    for name, tensor in found.state_dict().items():
        if tensor.dtype != torch.uint8:
            assert torch.equal(tensor, torch.from_numpy(meant[name]).reshape(tensor.shape).to(tensor.dtype)), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("own_names", [True, False], ids=["makers", "diffusers"])
def test_a_file_that_is_not_quantised_gives_the_very_model(
    model: Any, files: Files, dtype: torch.dtype, own_names: bool
) -> None:
    """Names, shapes and the weights that stay in 32-bit numbers are as when diffusers reads the folder."""
    folder, _ = files(model, lambda name, tensor: Kind.F32, own_names=own_names)
    meant, found = (load(one, dtype=dtype).transformer.state_dict() for one in (model.model, folder))
    assert {name: tensor.dtype for name, tensor in found.items()} == {name: t.dtype for name, t in meant.items()}
    assert all(torch.equal(tensor, meant[name]) for name, tensor in found.items())


def test_shapes_follow_from_the_configuration(model: Any) -> None:
    folders = family(model.model.preset.family).folders  # type: ignore[attr-defined]
    meant = {name: tuple(tensor.shape) for name, tensor in model.transformer.state_dict().items()}
    assert folders.file_shapes(model.model.folder, "transformer") == meant


def test_shapes_of_the_full_size_have_its_numbers() -> None:
    config = LTX_FOLDERS.bundled["transformer"]
    found = LTX_FOLDERS.shapes(json.loads(config.read_text(encoding="utf-8")))
    assert sum(map(math.prod, found.values())) == LTX_FULL.unet


def test_sides_of_one_that_llama_cpp_leaves_out_are_given_back(wan: Any, files: Files) -> None:
    tensors = dict(wan.transformer.state_dict())
    tensors = {name: one[0] if name.endswith("scale_shift_table") else one for name, one in tensors.items()}

    class Squeezed:
        model = wan.model
        transformer = type("", (), {"state_dict": lambda self: tensors})()

    folder, _ = files(Squeezed, lambda name, tensor: Kind.F32)
    family("wan").check(folder.folder, folder.preset)
    assert torch.equal(load(folder).transformer.scale_shift_table, wan.transformer.scale_shift_table)


def test_a_layer_can_be_compiled_whole() -> None:
    data = tiny_gguf.quantised(np.random.default_rng(1).normal(size=(8, 256)).astype(np.float32), Kind.Q4_K)
    layer, x = GgufLinear(torch.from_numpy(data), Kind.Q4_K, None), torch.randn(3, 256)
    meant = layer(x)
    layer.compile(fullgraph=True, dynamic=False, backend="eager")
    assert torch.equal(layer(x), meant)


# ------------------------------------------------------------------------------------------------------------ jobs


def asked() -> VideoRequest:
    return VideoRequest("small", 1, "standard", seed=7, steps=2, detail=False)


@pytest.mark.parametrize("name", ["ltx"])
def test_a_job_goes_on_with_the_same_file_alone(
    run: Callable, model: Any, files: Files, warm: Any, tmp_path: Path
) -> None:
    folder, _ = files(model)
    whole: dict[str, Any] = {}
    result = run(asked(), model=folder, model_cache=warm, measures=whole, work=tmp_path / "whole")
    told = read_metadata(result.path)["model"]
    assert told["weights"] == [weights_fingerprint(Path(folder.preset.weights[0]))]

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    def interrupted(second: ModelFolder, work: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with pytest.raises(HandBack):
            run(asked(), model=folder, model_cache=warm, progress=hand_back, work=work)
        run(asked(), model=second, model_cache=warm, measures=found, work=work)
        return found

    found = interrupted(folder, tmp_path / "same")
    assert (found["resumed"], found["frames_sha256"]) == ((0, 1), whole["frames_sha256"])
    found = interrupted(model.model, tmp_path / "exact")
    assert found["resumed"] is None
    assert found["frames_sha256"] != whole["frames_sha256"]


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offloaded_they_compute_the_same(model: Any, files: Files, offload: Offload) -> None:
    folder, _ = files(model)
    at_once, in_parts = load(folder), load(folder, offload)
    layer = next(path for path, one in at_once.transformer.named_modules() if isinstance(one, GgufLinear))
    here, there = (one.bring("transformer").get_submodule(layer) for one in (at_once, in_parts))
    x = torch.randn(2, here.inputs, generator=torch.Generator().manual_seed(1))
    assert torch.equal(here(x), there(x))
    assert in_parts.whole


def test_both_transformers_of_a_pair_are_read_in_turn(wan_a14b: Any, tmp_path: Path) -> None:
    places, meant = [], []
    for part in ("transformer", "transformer_2"):
        places.append(str(tmp_path / f"{part}.gguf"))
        tensors = wan_a14b.experts.bring(part).state_dict()
        meant.append(tiny_gguf.write(Path(places[-1]), tensors, "wan_a14b", BLOCKS))
    preset = wan_a14b.model.preset.model_copy(update={"weights": tuple(places), "base": "two"})
    found = load(ModelFolder(preset, wan_a14b.model.folder))
    found.experts.both = False
    for part, expected in zip(("transformer", "transformer_2"), meant, strict=True):
        expert = found.bring(part)
        layer = next(path for path, one in expert.named_modules() if isinstance(one, GgufLinear))
        weights = expert.get_submodule(layer).expanded(torch.float32)
        assert torch.equal(weights, torch.from_numpy(expected[f"{layer}.weight"]))
        assert found.experts.here == (part,)
    assert found.whole


def test_no_lora_is_added_to_them(model: Any, files: Files, tmp_path: Path) -> None:
    folder, _ = files(model)
    style = Lora("style", (LoraFile(tmp_path / "style.safetensors", "0"),), 1.0)
    with pytest.raises(ModelError, match="to which no LoRA can be added"):
        family(folder.preset.family).check_loras(ModelFolder(folder.preset, folder.folder, loras=(style,)))


# ------------------------------------------------------------------------------------------------------------ plans


def test_plans_count_the_files_bytes_and_one_expanded_layer(model: Any, files: Files, settings: Settings) -> None:
    kind = family(model.model.preset.family)
    folder, _ = files(model)
    size = kind.size(folder.folder, folder.preset)
    packed = [one for one in load(folder).transformer.modules() if isinstance(one, GgufLinear)]
    assert size.packed_bytes == sum(one.weight.numel() for one in packed)
    assert size.packed_numbers == sum(len(one.weight) * one.inputs for one in packed)
    assert size.unet == sum(map(torch.numel, model.transformer.state_dict().values()))


def test_a_large_model_fits_a_small_card_with_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """13 billion numbers in 4.85 bits each, as Q4_K_M has them: 8 GB."""
    from fanslymotion.pipeline.families.flow import folder as module

    presets = load_presets(settings)
    base = presets.model("ltx-13b")
    numbers = 13_042_569_344
    counted = (numbers, numbers - 200_000_000, int((numbers - 200_000_000) * 4.85 / 8))
    monkeypatch.setattr(module, "packed", lambda paths: counted if paths else (0, 0, 0))
    machine = Machine(
        device="cuda", name="16 GB", vram_total=16 * GIB, vram_free=14 * GIB, ram_total=32 * GIB, ram_free=28 * GIB,
        gpu_speed=20.0, cores=8,
    )  # fmt: skip
    request = VideoRequest(resolution="720p", model="ltx-13b")
    exact, found = (
        plan_request(request, (1600, 900), ModelFolder(preset, Path("absent")), presets, settings, machine=machine)
        for preset in (base, base.model_copy(update={"name": "q4", "weights": ("q4.gguf",), "base": "ltx-13b"}))
    )
    assert not forecast(exact).fits
    assert forecast(found).fits
    assert found.offload in (Offload.NONE, Offload.MODEL)
    assert found.model.name != exact.model.name, "what is measured of one says nothing of the other"
    assert forecast(found).seconds > 0
