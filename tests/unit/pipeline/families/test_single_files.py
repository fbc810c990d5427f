"""Safetensors files in a transformer's place: the values that they mean, computed alike wherever they wait."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.errors import HandBack, ModelError
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import Lora, LoraFile, ModelFolder, Offload
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.weights.files import packed as packed_module
from fanslymotion.pipeline.families.weights.files.fp8_linear import Fp8Linear
from fanslymotion.pipeline.families.weights.files.header import weights_fingerprint
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.tests import tiny_lora, tiny_safetensors
from fanslymotion.tests.tiny_safetensors import E4M3, E5M2, LAYOUTS, all_as, blocks_as

CPU = torch.device("cpu")
FP8 = blocks_as(E4M3)
LORA_LAYERS = {"ltx": tiny_lora.LTX, "wan": tiny_lora.WAN}
Files = Callable[..., tuple[ModelFolder, dict[str, torch.Tensor]]]


def load(folder: ModelFolder, offload: Offload = Offload.NONE, dtype: torch.dtype = torch.float32) -> Any:
    return family(folder.preset.family).load(folder, Placement(CPU, dtype, offload), lambda part: None, True)


def layers(transformer: Any) -> dict[str, Fp8Linear]:
    return {path: one for path, one in transformer.named_modules() if isinstance(one, Fp8Linear)}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Write a tiny model's transformer as a file. Return the model that uses it, and its values."""

    def call(model: Any, *how: Any, **options: Any) -> tuple[ModelFolder, dict[str, torch.Tensor]]:
        place = tmp_path / "weights.safetensors"
        meant = tiny_safetensors.write(
            place, model.transformer.state_dict(), model.model.preset.family, *how, **options
        )
        preset = model.model.preset.model_copy(update={"weights": (str(place),), "base": model.model.name})
        return ModelFolder(preset, model.model.folder), meant

    return call


# ------------------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "how",
    [{}, {"prefix": "model.diffusion_model."}, {"prefix": "diffusion_model."}, {"own_names": False}],
    ids=["makers", "checkpoint", "prefix", "diffusers"],
)
def test_a_file_of_32_bit_numbers_gives_the_very_model(
    model: Any, files: Files, dtype: torch.dtype, how: dict[str, Any]
) -> None:
    """What lies beside the transformer is left out, in files with a prefix and in those without."""
    folder, _ = files(model, all_as(torch.float32), beside={"vae.decoder.conv_in.weight": torch.ones(3)}, **how)
    meant, found = (load(one, dtype=dtype).transformer.state_dict() for one in (model.model, folder))
    assert {name: tensor.dtype for name, tensor in found.items()} == {name: t.dtype for name, t in meant.items()}
    assert all(torch.equal(tensor, meant[name]) for name, tensor in found.items())


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_a_file_of_16_bit_numbers_has_no_packed_layer(model: Any, files: Files, stored: torch.dtype) -> None:
    folder, meant = files(model, all_as(stored))
    found = load(folder).transformer
    assert not layers(found)
    assert all(torch.equal(tensor, meant[name]) for name, tensor in found.state_dict().items())


@pytest.mark.parametrize("kind", [E4M3, E5M2])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_8_bit_floats_are_expanded_to_what_the_file_means(
    wan: Any, files: Files, kind: torch.dtype, layout: str, dtype: torch.dtype
) -> None:
    folder, meant = files(wan, blocks_as(kind), LAYOUTS[layout], prefix="model.diffusion_model.")
    family("wan").check(folder.folder, folder.preset)
    found = load(folder, dtype=dtype).transformer
    assert layers(found)
    for path, layer in layers(found).items():
        assert "blocks." in path
        assert (layer.weight.dtype, layer.weight.numel()) == (torch.uint8, meant[f"{path}.weight"].numel())
        assert torch.equal(layer.expanded(dtype), meant[f"{path}.weight"].to(dtype))
        x = torch.randn(3, layer.inputs, dtype=dtype)
        by_hand = torch.nn.functional.linear(x, meant[f"{path}.weight"].to(dtype), layer.bias)
        assert torch.equal(layer(x), by_hand)
    for name, tensor in found.state_dict().items():
        if tensor.dtype != torch.uint8 and not name.endswith(".scale"):
            assert torch.equal(tensor, meant[name].reshape(tensor.shape).to(tensor.dtype)), name


@pytest.mark.parametrize("layout", ["scale_weight", "rows"])
def test_scaled_they_are_the_models_numbers_within_rounding(model: Any, files: Files, layout: str) -> None:
    """Three bits behind the point: 1/16 of a number at most, a third of that on average."""
    folder, _ = files(model, FP8, LAYOUTS[layout])
    exact = model.transformer.state_dict()
    for path, layer in layers(load(folder).transformer).items():
        off = layer.expanded(torch.float32) - exact[f"{path}.weight"]
        assert float(off.norm() / exact[f"{path}.weight"].norm()) < 0.035


def test_everything_may_be_8_bit_floats(model: Any, files: Files) -> None:
    """Norms, biases, tables and layers that are no block's become numbers as they are read."""
    folder, meant = files(model, all_as(E4M3))
    found = load(folder, dtype=torch.bfloat16).transformer
    assert layers(found)
    for name, tensor in found.state_dict().items():
        if tensor.dtype != torch.uint8:
            assert torch.equal(tensor, meant[name].to(tensor.dtype)), name


def test_large_layers_are_expanded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, scale = torch.randn(5, 8).to(E4M3), torch.rand(5, 1)
    monkeypatch.setattr(packed_module, "TOGETHER", 16)  # two rows at once, and one
    for one in (None, scale, scale[:1]):
        meant = weight.float() if one is None else weight.float() * one
        assert torch.equal(Fp8Linear(weight, one, None).expanded(torch.bfloat16), meant.bfloat16())


def test_a_layer_can_be_compiled_whole() -> None:
    layer, x = Fp8Linear(torch.randn(5, 8).to(E4M3), torch.rand(5, 1), None), torch.randn(3, 8)
    meant = layer(x)
    layer.compile(fullgraph=True, dynamic=False, backend="eager")
    assert torch.equal(layer(x), meant)


def test_a_file_may_be_replaced_while_its_model_is_in_memory(wan: Any, files: Files) -> None:
    folder, meant = files(wan, FP8)
    found = load(folder).transformer
    place = Path(folder.preset.weights[0])
    place.write_bytes(b"\0" * place.stat().st_size)
    for path, layer in layers(found).items():
        assert torch.equal(layer.expanded(torch.float32), meant[f"{path}.weight"])


# -------------------------------------------------------------------------------------------------------------- jobs


def asked() -> VideoRequest:
    return VideoRequest("small", 1, "standard", seed=7, steps=2, detail=False)


@pytest.mark.parametrize("name", ["ltx"])
def test_frames_are_the_folders_own(run: Callable, model: Any, files: Files, warm: Any, tmp_path: Path) -> None:
    folder, _ = files(model, all_as(torch.float32), prefix="model.diffusion_model.")
    frames = []
    for one in (model.model, folder):
        measures: dict[str, Any] = {}
        run(asked(), model=one, model_cache=warm, measures=measures, work=tmp_path / f"work{len(frames)}")
        frames.append(measures["frames_sha256"])
    assert frames[0] == frames[1]


def test_a_job_goes_on_with_the_same_frames(run: Callable, wan: Any, files: Files, warm: Any, tmp_path: Path) -> None:
    folder, _ = files(wan, FP8, LAYOUTS["scale_weight"])
    whole: dict[str, Any] = {}
    result = run(asked(), model=folder, model_cache=warm, measures=whole, work=tmp_path / "whole")
    assert read_metadata(result.path)["model"]["weights"] == [weights_fingerprint(Path(folder.preset.weights[0]))]

    def hand_back(moment: Progress) -> None:
        if moment.stage is Stage.SAMPLING and moment.step:
            raise HandBack

    found: dict[str, Any] = {}
    with pytest.raises(HandBack):
        run(asked(), model=folder, model_cache=warm, progress=hand_back, work=tmp_path / "broken")
    run(asked(), model=folder, model_cache=warm, measures=found, work=tmp_path / "broken")
    assert (found["resumed"], found["frames_sha256"]) == ((0, 1), whole["frames_sha256"])


@pytest.mark.parametrize("offload", [Offload.MODEL, Offload.GROUP, Offload.SEQUENTIAL])
def test_offloaded_they_compute_the_same(wan: Any, files: Files, offload: Offload) -> None:
    folder, _ = files(wan, FP8, LAYOUTS["rows"])
    at_once, in_parts = load(folder), load(folder, offload)
    layer = next(iter(layers(at_once.transformer)))
    here, there = (one.bring("transformer").get_submodule(layer) for one in (at_once, in_parts))
    x = torch.randn(2, here.inputs)
    assert torch.equal(here(x), there(x))
    assert in_parts.whole


def test_plans_count_the_files_bytes(model: Any, files: Files) -> None:
    kind = family(model.model.preset.family)
    everything = sum(map(torch.numel, model.transformer.state_dict().values()))
    for layout in LAYOUTS.values():
        folder, _ = files(model, FP8, layout, beside={"vae.decoder.conv_in.weight": torch.ones(99)})
        size = kind.size(folder.folder, folder.preset)
        packed = sum(one.weight.numel() for one in layers(load(folder).transformer).values())
        assert (size.unet, size.packed_numbers, size.packed_bytes) == (everything, packed, packed)
    folder, _ = files(model, all_as(torch.float16))
    size = kind.size(folder.folder, folder.preset)
    assert (size.unet, size.packed_numbers, size.packed_bytes) == (everything, 0, 0)


# ----------------------------------------------------------------------------------- settings that change weights


def test_a_lora_is_added_to_plain_numbers_as_to_a_folders(model: Any, name: str, files: Files, tmp_path: Path) -> None:
    made = tiny_lora.matrices(model.transformer, LORA_LAYERS[name])
    path = tiny_lora.write(tmp_path / "style.safetensors", tiny_lora.diffusers_layout(made))
    folder, _ = files(model, all_as(torch.float32))
    lora = (tiny_lora.lora(path, strength=0.7),)
    kind = family(name)
    states = []
    for one in (model.model, folder):
        given = ModelFolder(one.preset, one.folder, loras=lora, int8=True)
        kind.check_loras(given)
        states.append(load(given).transformer.state_dict())
    assert all(torch.equal(tensor, states[0][key]) for key, tensor in states[1].items())
    assert any(tensor.dtype is torch.int8 for tensor in states[1].values())


def test_no_lora_is_added_to_8_bit_floats(model: Any, files: Files, tmp_path: Path) -> None:
    folder, _ = files(model, FP8)
    style = Lora("style", (LoraFile(tmp_path / "style.safetensors", "0"),), 1.0)
    with pytest.raises(ModelError, match="come from a quantised file, to which no LoRA can be added"):
        family(folder.preset.family).check_loras(ModelFolder(folder.preset, folder.folder, loras=(style,)))
