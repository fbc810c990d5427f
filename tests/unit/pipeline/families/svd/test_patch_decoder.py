"""A model with a patch decoder: it takes the place of the VAE's, in any chunks, and is checked and reckoned with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fanslymotion.errors import ModelError
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.svd.decoding.patch_decoder import PatchDecoder
from fanslymotion.pipeline.families.svd.decoding.vae import decode
from fanslymotion.pipeline.families.svd.folder import PATCH_DECODER, ModelFolder, check_folder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, choose_placement, load
from fanslymotion.pipeline.families.svd.model_size import model_size
from fanslymotion.pipeline.families.svd.random_model import build

FRAMES, PLACE = 20, (0, 7)
"""Frames of the clip, and the one whose latents are changed."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random tiny model with a random patch decoder, in fp32."""
    made = build(tmp_path_factory.mktemp("patches") / "model")
    torch.manual_seed(3)
    PatchDecoder(latent_channels=4, widths=(32, 16, 8), blocks=(1, 1, 1)).save_pretrained(made / PATCH_DECODER)
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> LoadedModel:
    return load(ModelFolder(folder_preset(folder), folder), choose_placement())


@pytest.fixture
def latents() -> torch.Tensor:
    return 0.5 * torch.randn(1, FRAMES, 4, 6, 10)


def frames_of(model: LoadedModel, latents: torch.Tensor, chunk: int = FRAMES) -> np.ndarray:
    return np.concatenate(list(decode(model, latents, chunk))).astype(int)


def test_it_takes_the_place_of_the_vaes(model: LoadedModel, latents: torch.Tensor) -> None:
    assert isinstance(model.vae.decoder, PatchDecoder)
    frames = frames_of(model, latents)
    assert frames.shape == (FRAMES, 48, 80, 3)
    assert frames.std() > 1
    assert model.whole


@pytest.mark.parametrize("chunk", [6, 8, 14])
def test_chunks_make_no_difference(model: LoadedModel, latents: torch.Tensor, chunk: int) -> None:
    """A chunk's outermost frames are decoded along and thrown away, and no frame sees farther than that."""
    difference = np.abs(frames_of(model, latents, chunk) - frames_of(model, latents))
    assert difference.max() <= 1, "where two roundings differ"
    assert (difference > 0).mean() < 1e-3


def test_a_frame_sees_the_ones_beside_it(model: LoadedModel, latents: torch.Tensor) -> None:
    changed = latents.clone()
    changed[PLACE] += 1
    difference = np.abs(frames_of(model, changed) - frames_of(model, latents)).max(axis=(1, 2, 3))
    assert [at for at in range(FRAMES) if difference[at]] == [6, 7, 8]


def test_on_a_processor_that_multiplies_bf16_it_stays_in_fp32(folder: Path) -> None:
    """Its linear part is nearly the picture: bf16 has steps of half a grey level there."""
    cpu = Placement(torch.device("cpu"), torch.float32, decoder=torch.bfloat16)
    found = load(ModelFolder(folder_preset(folder), folder), cpu)
    assert {parameter.dtype for parameter in found.vae.decoder.parameters()} == {torch.float32}


def test_its_parameters_are_counted(folder: Path, model: LoadedModel) -> None:
    size = model_size(folder, 128, 72, 14)
    assert size.patch_decoder == sum(parameter.numel() for parameter in model.vae.decoder.parameters())
    assert size.vae > size.patch_decoder


def test_half_of_one_is_refused(folder: Path) -> None:
    weights = folder / PATCH_DECODER / "diffusion_pytorch_model.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    try:
        with pytest.raises(ModelError, match="missing"):
            check_folder(folder)
        weights.write_bytes(kept[: len(kept) // 2])
        with pytest.raises(ModelError, match="get these files of the model again"):
            load(ModelFolder(folder_preset(folder), folder), choose_placement())
    finally:
        weights.write_bytes(kept)
