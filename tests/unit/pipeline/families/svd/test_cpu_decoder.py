"""A decoder suited to the CPU gives diffusers' frames: within rounding in fp32, about a grey level away in bf16."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fanslymotion.pipeline.families.svd.conditioning import encode, to_tensor
from fanslymotion.pipeline.families.svd.decoding.vae import OUTERMOST, decode_frames, suit_cpu
from fanslymotion.pipeline.families.svd.folder import PATCH_DECODER, ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, Placement, load
from fanslymotion.settings import ROOT
from PIL import Image

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`mini` with its VAE's temporal decoder: without the one that takes the place of that."""
    made = tmp_path_factory.mktemp("temporal") / "mini"
    return shutil.copytree(ROOT / "assets" / "mini", made, ignore=shutil.ignore_patterns(PATCH_DECODER))


def mini(folder: Path, decoder: torch.dtype | None = None, shortcuts: bool = True) -> LoadedModel:
    placement = Placement(CPU, torch.float32, decoder=decoder)
    return load(ModelFolder(folder_preset(folder), folder), placement, shortcuts=shortcuts)


@pytest.fixture(scope="module")
def latents(folder: Path, photo: Path) -> torch.Tensor:
    """(1, 2, channels, h, w) of a photo that moves."""
    with Image.open(photo) as image:
        whole = image.convert("RGB").resize((44, 24))
    pixels = torch.cat([to_tensor(whole.crop((at, 0, at + 40, 24))) for at in (0, 4)])
    model = mini(folder, shortcuts=False)
    with torch.no_grad():
        return encode(model, pixels)[None] * model.scaling


@pytest.fixture(scope="module")
def stock(folder: Path, latents: torch.Tensor) -> np.ndarray:
    return decode_frames(mini(folder, shortcuts=False), latents).astype(int)


def test_channels_last_changes_nothing_that_is_seen(folder: Path, latents: torch.Tensor, stock: np.ndarray) -> None:
    frames = decode_frames(mini(folder), latents)
    assert np.abs(frames - stock).max() <= 1
    assert (frames != stock).mean() < 0.001


def test_bf16_stays_near(folder: Path, latents: torch.Tensor, stock: np.ndarray) -> None:
    model = mini(folder, torch.bfloat16)
    frames = decode_frames(model, latents)
    assert np.abs(frames - stock).mean() < 1.3
    assert np.abs(frames - stock).max() < 16
    inner = {p.dtype for name, p in model.vae.decoder.named_parameters() if not name.startswith(OUTERMOST)}
    assert inner == {torch.bfloat16}
    assert np.array_equal(frames, decode_frames(model, latents)), "the same frames each time"


def test_only_the_decoder_changes(folder: Path, photo: Path) -> None:
    with Image.open(photo) as image:
        pixels = to_tensor(image.convert("RGB").resize((64, 40)))
    plain, suited = mini(folder, shortcuts=False), mini(folder, torch.bfloat16)
    with torch.no_grad():
        assert torch.equal(encode(plain, pixels), encode(suited, pixels)), "what is sampled does not depend on it"
    assert suited.whole


@pytest.mark.parametrize("frames", [1, 2, 14])
def test_a_convolution_over_time_is_the_same_as_products(frames: int) -> None:
    layer, given = convolution(), torch.randn(1, 32, frames, 6, 10)
    with torch.no_grad():
        expected = layer(given)
        suit_cpu(torch.nn.Sequential(layer), torch.float32)
        found = layer(given)
    assert "forward" in vars(layer), "it is not torch's own any more"
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, atol=2e-6)


def test_in_bf16_and_for_several_clips_it_stays_a_convolution() -> None:
    layer = convolution()
    suit_cpu(torch.nn.Sequential(layer), torch.float32)
    several = torch.randn(2, 32, 3, 6, 10)
    with torch.no_grad():
        assert torch.equal(layer(several), torch.nn.Conv3d.forward(layer, several))
        layer.bfloat16()
        half = several[:1].bfloat16()
        assert torch.equal(layer(half), torch.nn.Conv3d.forward(layer, half))


def convolution() -> torch.nn.Conv3d:
    return torch.nn.Conv3d(32, 64, (3, 1, 1), padding=(1, 0, 0))
