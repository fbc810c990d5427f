"""Folders of Wan 2.2 I2V-A14B: told from Wan's others; what is missing or wrong is said, with the remedy."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from fanslymotion.errors import ModelError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families import family, family_of_folder
from fanslymotion.pipeline.families.base import Role
from fanslymotion.pipeline.families.wan.folder import IMAGE_CHANNELS
from fanslymotion.pipeline.families.wan_a14b.folder import EXPERTS, FOLDERS, FULL, SAMPLING
from fanslymotion.pipeline.families.wan_a14b.model import A14BModel
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder


def test_the_size_is_that_of_the_architecture() -> None:
    """diffusers' defaults are those of the 14B models and of Wan 2.1's VAE."""
    with torch.device("meta"):
        transformer, vae = WanTransformer3DModel(in_channels=IMAGE_CHANNELS, out_channels=16), AutoencoderKLWan()
    sizes = [sum(p.numel() for p in part.parameters()) for part in (transformer, vae)]
    assert sizes == [FULL.unet, FULL.vae]
    assert 2 * sizes[0] * 2 / 1e9 == pytest.approx(57.2, abs=0.1)
    assert (transformer.config.num_layers, transformer.config.num_attention_heads) == (40, 40)
    assert (vae.config.base_dim, FULL.channels, FULL.attention) == (96, 5120, 40 * 5120)


def test_a_folder_is_used_by_its_path_and_by_a_name(tiny_wan_a14b: Path, tiny_wan: Path, settings: Settings) -> None:
    assert family_of_folder(tiny_wan_a14b) is family("wan_a14b")
    assert family_of_folder(tiny_wan) is family("wan")
    found = find_model(str(tiny_wan_a14b), load_presets(settings), settings)
    assert found.preset.sampling == found.preset.sampling.model_validate(SAMPLING)
    assert use_folder(tiny_wan_a14b, settings).family == "wan_a14b"


def test_two_parts_have_the_denoisers_role() -> None:
    roles = {component.name: component.role for component in family("wan_a14b").components}
    assert [name for name, role in roles.items() if role is Role.DENOISER] == list(EXPERTS)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("transformer_2", "not a whole Wan 2.2 I2V-A14B model: transformer_2/config.json is missing"),
        ("transformer_2/diffusion_pytorch_model.safetensors", "transformer_2"),
        ("transformer/diffusion_pytorch_model.safetensors", "transformer"),
        ("text_encoder/model.safetensors", "lacks the text encoder"),
    ],
)
def test_what_is_missing_is_named(gone: str, said: str, tiny_wan_a14b: Path, tmp_path: Path) -> None:
    folder = tmp_path / "модель"
    shutil.copytree(tiny_wan_a14b, folder)
    place = folder / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert family_of_folder(folder) is family("wan_a14b")
    with pytest.raises(ModelError, match=said):
        FOLDERS.check(folder)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("transformer_2", {"in_channels": 16}),
        ("transformer", {"image_dim": 1280}),
        ("transformer_2", {"_class_name": "LTXVideoTransformer3DModel"}),
        ("vae", {"z_dim": 48, "scale_factor_spatial": 16}),
    ],
)
def test_models_of_another_kind_are_refused(
    part: str, change: dict[str, Any], tiny_wan_a14b: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_wan_a14b, folder)
    place = folder / part / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ModelError, match=r"choose"):
        FOLDERS.check(folder)


def test_the_fingerprint_changes_with_either_transformer(tiny_wan_a14b: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_wan_a14b, folder)
    before = FOLDERS.check(folder).fingerprint
    for name in EXPERTS:
        place = folder / name / "config.json"
        place.write_text(place.read_text(encoding="utf-8") + " ", encoding="utf-8")
        assert FOLDERS.check(folder).fingerprint != before
        before = FOLDERS.check(folder).fingerprint


def test_the_tiny_model_is_measured(tiny_wan_a14b: Path, wan_a14b: A14BModel) -> None:
    found = FOLDERS.size(tiny_wan_a14b, FOLDERS.preset(tiny_wan_a14b))
    assert not found.large
    assert found.unet == sum(p.numel() for p in wan_a14b.bring("transformer").parameters())
    assert found.vae == sum(p.numel() for p in wan_a14b.vae.parameters())
    assert found.factor == 8
    assert FOLDERS.size(tiny_wan_a14b / "absent", FOLDERS.preset(tiny_wan_a14b)).unet == FULL.unet
