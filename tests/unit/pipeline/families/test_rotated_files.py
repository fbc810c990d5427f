"""Files of 8-bit floats that were made for Lightricks' own kernels: told by the model's own weights, and read right."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fanslymotion.errors import ModelError
from fanslymotion.models.registry import look
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.placement import choose_placement
from fanslymotion.pipeline.families.weights.files.fp8_linear import Fp8Linear
from fanslymotion.pipeline.families.weights.files.rotation import factors, hadamard, rotated
from fanslymotion.presets import ModelPreset, load_presets
from fanslymotion.tests import tiny_safetensors
from fanslymotion.tests.own_models import use_folder
from fanslymotion.tests.tiny_safetensors import E4M3, LAYOUTS, blocks_as
from fanslymotion.tests.weights_place import Place

OFFICIAL = "ltxv-13b-0.9.7-dev-fp8.safetensors"


def turned(layer: str, weight: torch.Tensor, dtype: torch.dtype) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """As LTX-Video-Q8-Kernels 0.0.4 stored them: W·H/√n, without a scale. The values that they mean are turned back."""
    packed = torch.from_numpy(rotated(weight.numpy())).to(dtype)
    return {f"{layer}.weight": packed}, torch.from_numpy(rotated(packed.float().numpy()))


def loaded(place: Place, made: ModelPreset) -> Any:
    model = ModelFolder(load_presets(place.settings).model(made.name), Path(made.folder))
    return family("ltx").load(model, choose_placement(), lambda part: None, True).transformer


def values(transformer: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of the packed layers, by their names."""
    layers = {name: layer for name, layer in transformer.named_modules() if isinstance(layer, Fp8Linear)}
    return {f"{name}.weight": layer.expanded(torch.float32) for name, layer in layers.items()}


@pytest.mark.parametrize("size", [1, 2, 32, 128, 4096, 16384])
def test_the_matrix(size: int) -> None:
    """Sylvester's, as fast transforms have it, and its own inverse."""
    rows = np.random.default_rng(size).standard_normal((3, size)).astype(np.float32)
    assert np.allclose(rotated(rotated(rows)), rows, atol=1e-4)
    if size <= 128:
        assert np.allclose(rotated(rows), rows @ hadamard(size), atol=1e-4)
    assert factors(size + 1 if size > 1 else 3) is None


def test_a_rotated_file_is_told_and_turned_back(place: Place) -> None:
    """Under any name; the numbers are those that were meant, within what 8 bits lose."""
    meant = tiny_safetensors.write(
        place.files / "mine-dev.safetensors", place.tensors("ltx"), "ltx", blocks_as(E4M3), turned
    )
    made = place.use(place.files / "mine-dev.safetensors")
    assert made.rotated
    found, own = values(loaded(place, made)), place.tensors("ltx")
    assert len(found) == 20
    for name, value in found.items():
        assert torch.allclose(value, meant[name], atol=1e-5), name
        assert torch.nn.functional.cosine_similarity(value.flatten(), own[name].flatten(), dim=0) > 0.99


@pytest.mark.parametrize("name", [OFFICIAL, "mine-dev.safetensors"])
def test_a_plain_file_stays_as_it_is(place: Place, name: str) -> None:
    """Also one of Lightricks' names: later ones have plain numbers."""
    file = place.files / name
    meant = tiny_safetensors.write(file, place.tensors("ltx"), "ltx", blocks_as(E4M3))
    made = place.use(file)
    assert not made.rotated
    assert all(torch.equal(value, meant[name]) for name, value in values(loaded(place, made)).items())


def test_a_training_later_it_is_told_as_well(place: Place) -> None:
    """0.9.7 and 0.9.8 are two trainings of one model."""
    own = place.tensors("ltx")
    torch.manual_seed(1)
    other = {
        name: value + 0.3 * value.std() * torch.randn_like(value) for name, value in own.items() if value.ndim == 2
    }
    for name, layout in (("turned-dev.safetensors", turned), ("plain-dev.safetensors", LAYOUTS["unscaled"])):
        file = place.files / name
        tiny_safetensors.write(file, {**own, **other}, "ltx", blocks_as(E4M3), layout)
        assert place.use(file).rotated is (layout is turned)


def test_what_cannot_be_told_is_refused_by_lightricks_name(place: Place, ltx: Any, tmp_path: Path) -> None:
    """Without the model's own weights, or with those of quite another model."""
    folder = shutil.copytree(ltx.model.folder, tmp_path / "large")
    use_folder(folder, place.settings, "large")
    tensors = place.tensors("ltx")
    random = {name: torch.randn_like(value) if value.ndim == 2 else value for name, value in tensors.items()}
    official, other = place.files / OFFICIAL, place.files / "ltxv-13b-0.9.7-dev_fp8_e4m3fn.safetensors"
    tiny_safetensors.write(official, random, "ltx", blocks_as(E4M3))
    with pytest.raises(ModelError, match="may be made for Lightricks' own kernels"):
        place.use(official, base="large")
    for file in (official, other):
        tiny_safetensors.write(file, tensors, "ltx", blocks_as(E4M3), turned)
    assert place.use(official, base="large", name="told").rotated
    for weights in (folder / "transformer").glob("*.safetensors"):
        weights.unlink()
    with pytest.raises(ModelError, match="may be made for Lightricks' own kernels") as found:
        place.use(official, base="large")
    assert "ядер Lightricks" in found.value.message.say("ru")
    assert not place.use(other, base="large", name="plain").rotated, "Kijai's have plain numbers"
    assert look("told", load_presets(place.settings), place.settings).ready, "once told, it stays told"


def test_files_of_other_families_and_types_are_not_compared(place: Place) -> None:
    assert not place.use(place.write("wan.safetensors"), name="wan").rotated
    scaled = place.write("ltx-dev.safetensors", "ltx", None, LAYOUTS["scale_weight"])
    assert not place.use(scaled, name="scaled").rotated
