"""A UNet suited to the CPU: each layer gives torch's and diffusers' numbers within rounding, and none turns tensors."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.activations import GEGLU
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from diffusers.models.upsampling import Upsample2D
from fanslymotion.pipeline.families.svd.cpu_unet import suit_cpu
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, Placement, load
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

CHANNELS = 32


def suited(layer: nn.Module) -> Any:
    found = copy.deepcopy(layer)
    suit_cpu(nn.Sequential(found))
    assert "forward" in vars(found), "it is not torch's own any more"
    return found


def randomised(layer: nn.Module) -> nn.Module:
    """Biases and norms of a new layer are 0 and 1, which would hide a fault."""
    draw = torch.Generator().manual_seed(1)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.2, generator=draw)
    return layer


def given(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 14])
def test_a_convolution_over_time(batch: int, frames: int) -> None:
    layer = randomised(nn.Conv3d(CHANNELS, 48, (3, 1, 1), padding=(1, 0, 0)))
    x = given(batch, CHANNELS, frames, 6, 10)
    assert torch.allclose(suited(layer)(x), layer(x), atol=5e-6)


def test_other_convolutions_in_three_axes_stay_as_they_are() -> None:
    layers = nn.Sequential(nn.Conv3d(4, 4, 3, padding=1), nn.Conv3d(4, 4, (3, 1, 1)), nn.Conv3d(4, 4, 1))
    suit_cpu(layers)
    assert not [layer for layer in layers if "forward" in vars(layer)]


@torch.no_grad()
@pytest.mark.parametrize("shape", [(2, CHANNELS, 5, 8), (2, CHANNELS, 3, 5, 8)])
@pytest.mark.parametrize("mean", [0.0, 1000.0])
def test_a_group_norm(shape: tuple[int, ...], mean: float) -> None:
    """Also far from 0, where the difference of squares would have no digits left, and NaN in place of a root."""
    layer = randomised(nn.GroupNorm(8, CHANNELS))
    x = mean + given(*shape)
    exact = copy.deepcopy(layer).double()(x.double())
    error = (suited(layer)(x) - exact).abs().max()
    assert error <= max(2e-6, 2 * (layer(x) - exact).abs().max())
    assert torch.isfinite(suited(layer)(torch.full(shape, mean))).all()


@torch.no_grad()
@pytest.mark.parametrize(("size", "doubled"), [(None, (10, 16)), ((9, 15), (9, 15))])
def test_an_enlargement(size: tuple[int, int] | None, doubled: tuple[int, int]) -> None:
    """By exactly two, or to the odd size of what it is joined to."""
    layer = randomised(Upsample2D(CHANNELS, use_conv=True, out_channels=24))
    x, found = given(3, CHANNELS, 5, 8), suited(layer)
    assert found(x, size).shape == (3, 24, *doubled)
    assert torch.allclose(found(x, size), layer(x, size), atol=5e-6)


def test_an_enlargement_without_a_convolution_stays_as_it_is() -> None:
    layer = Upsample2D(CHANNELS)
    suit_cpu(nn.Sequential(layer))
    assert "forward" not in vars(layer)


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 2])
def test_a_transformer(batch: int) -> None:
    layer = randomised(TransformerSpatioTemporalModel(2, 16, CHANNELS, cross_attention_dim=24))
    frames = 3
    indicator, x = torch.zeros(batch, frames), given(batch * frames, CHANNELS, 4, 6)
    context = given(batch, 1, 24).repeat_interleave(frames, dim=0)
    found, wanted = (one(x, context, indicator, return_dict=False)[0] for one in (suited(layer), layer))
    assert torch.allclose(found, wanted, atol=2e-5)


@torch.no_grad()
def test_a_gate_gives_the_very_numbers() -> None:
    layer, x = randomised(GEGLU(CHANNELS, 48)), given(2, 5, CHANNELS)
    assert torch.equal(suited(layer)(x), layer(x))


class Layouts(TorchDispatchMode):
    """The convolutions' inputs that are not channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions, self.others = 0, []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution.default:
            self.convolutions += 1
            if args[0].stride(1) != 1:
                self.others.append(tuple(args[0].shape))
        return func(*args, **(kwargs or {}))


def loaded(folder: Path, dtype: torch.dtype, shortcuts: bool = True) -> LoadedModel:
    return load(ModelFolder(folder_preset(folder), folder), Placement(torch.device("cpu"), dtype), shortcuts=shortcuts)


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 2])
def test_a_whole_pass_stays_in_one_layout(tiny_model: Path, batch: int) -> None:
    model, stock = loaded(tiny_model, torch.float32), loaded(tiny_model, torch.float32, shortcuts=False)
    sample = given(batch, 6, model.unet.config.in_channels, 10, 16)
    words = {
        "timestep": torch.tensor(0.7),
        "encoder_hidden_states": given(batch, 1, model.unet.config.cross_attention_dim),
        "added_time_ids": torch.tensor([[6.0, 127.0, 0.02]]).repeat(batch, 1),
        "return_dict": False,
    }
    with Layouts() as layouts:
        found = model.unet(sample, **words)[0]
    assert layouts.convolutions > 20
    assert layouts.others == [(batch * 6, model.unet.config.in_channels, 10, 16)], "only the latents come otherwise"
    assert torch.allclose(found, stock.unet(sample, **words)[0], atol=1e-5)


def test_only_fp32_is_computed_so(tiny_model: Path) -> None:
    """Other numbers would round the sums of kernels, and have not been measured."""
    for dtype in (torch.float32, torch.bfloat16):
        norms = [one for one in loaded(tiny_model, dtype).unet.modules() if isinstance(one, nn.GroupNorm)]
        assert norms
        assert {"forward" in vars(norm) for norm in norms} == {dtype == torch.float32}
