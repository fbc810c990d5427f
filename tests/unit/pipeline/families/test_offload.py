"""Weights that wait in RAM: copied to the device, dropped there, and whole again when memory runs out on the way.

"meta" stands for the card: weights go there by the same calls, and nothing is computed.
"""

import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, Placement, load
from fanslymotion.pipeline.families.weights.offload import lock_pages

CARD = torch.device("meta")


@pytest.fixture
def waiting(tiny_model: Path) -> LoadedModel:
    placement = Placement(torch.device("cpu"), torch.float32, Offload.MODEL)
    loaded = load(ModelFolder(folder_preset(tiny_model), tiny_model), placement)
    loaded.image_encoder.register_buffer("positions", torch.arange(3), persistent=False)
    return replace(loaded, placement=replace(placement, device=CARD))


def addresses(component: Any) -> list[int]:
    return [tensor.data_ptr() for tensor in component.parameters()]


def test_weights_are_dropped_on_the_device_and_not_copied_back(waiting: LoadedModel) -> None:
    before = {part: addresses(getattr(waiting, part)) for part in ("unet", "vae", "image_encoder")}
    for part in ("image_encoder", "vae", "unet", "vae", "unet"):
        assert waiting.bring(part).device == CARD
        others = {"unet", "vae", "image_encoder"} - {part}
        assert {getattr(waiting, other).device.type for other in others} == {"cpu"}
        assert all(addresses(getattr(waiting, other)) == before[other] for other in others)
        assert waiting.whole
    waiting.bring("vae")
    assert waiting.image_encoder.get_buffer("positions").device.type == "cpu", "also what no file holds"


def test_other_numbers_on_the_device_leave_those_in_ram_as_they_are(waiting: LoadedModel) -> None:
    """The fp16 VAE is raised to fp32 to encode; memory may run out on the way back."""
    vae = waiting.bring("vae")
    vae.decoder.to(torch.bfloat16)
    assert not waiting.whole
    waiting.bring("unet")
    assert waiting.whole
    assert vae.dtype == torch.float32


def test_memory_that_runs_out_on_the_way_leaves_a_whole_component(waiting: LoadedModel) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    last = waiting.unet.conv_out
    last._apply = full
    with pytest.raises(torch.OutOfMemoryError):
        waiting.bring("unet")
    assert waiting.whole
    assert waiting.unet.device.type == "cpu"
    del last._apply
    assert waiting.bring("unet").device == CARD


@pytest.mark.parametrize("offload", [Offload.GROUP, Offload.SEQUENTIAL])
def test_only_the_denoiser_has_hooks(tiny_model: Path, offload: Offload) -> None:
    placement = Placement(torch.device("cpu"), torch.float32, offload)
    loaded = load(ModelFolder(folder_preset(tiny_model), tiny_model), placement)
    hooked = {
        part: any(hasattr(module, "_diffusers_hook") for module in getattr(loaded, part).modules())
        for part in ("unet", "vae", "image_encoder")
    }
    assert hooked == {"unet": True, "vae": False, "image_encoder": False}
    moved = replace(loaded, placement=replace(placement, device=CARD))
    assert moved.bring("vae").device == CARD
    assert moved.bring("unet").device.type == "cpu", "its hooks bring it"
    assert moved.vae.device.type == "cpu"


def locking(left: list[int], error: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """`pin_memory` of a system that has page-locked memory for so many tensors."""

    def pin(self: torch.Tensor) -> torch.Tensor:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError(error)
        return self.clone()

    return pin


def test_page_locked_weights_take_the_place_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other: both copies of the whole would be 3 GB more."""
    layers = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))
    wanted = {name: tensor.clone() for name, tensor in layers.state_dict().items()}
    first = weakref.ref(layers[0].weight.untyped_storage())
    before = addresses(layers)
    monkeypatch.setattr(torch.Tensor, "pin_memory", locking([100], ""))
    assert lock_pages(layers)
    assert not set(before) & set(addresses(layers))
    assert first() is None
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in layers.state_dict().items())


def test_too_little_page_locked_memory_is_said_and_stops_nothing(monkeypatch, caplog) -> None:
    layers = torch.nn.Linear(3, 5)
    monkeypatch.setattr(torch.Tensor, "pin_memory", locking([1], "CUDA error: out of memory"))
    assert not lock_pages(layers)
    assert "page-locked" in caplog.text
    assert layers(torch.zeros(2, 3)).shape == (2, 5)


def test_another_error_than_memory_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", locking([0], "CUDA error: an illegal memory access"))
    with pytest.raises(RuntimeError, match="illegal"):
        lock_pages(torch.nn.Linear(3, 5))
