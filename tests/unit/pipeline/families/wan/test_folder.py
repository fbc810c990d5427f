"""Folders of Wan 2.2: recognised and named by what lies in them; what is missing or wrong is said, with the remedy."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from fanslymotion.bench.full_size import UMT5_XXL, WAN_TRANSFORMER, WAN_VAE
from fanslymotion.errors import ModelError
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families import family, family_of_folder
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.families.placement import choose_placement
from fanslymotion.pipeline.families.wan.folder import FOLDERS, FULL, SAMPLING
from fanslymotion.pipeline.families.wan.model import WanModel, load
from fanslymotion.pipeline.families.wan.random_model import TRANSFORMER, VAE
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder


def test_the_5b_models_size_is_that_of_its_architecture() -> None:
    with torch.device("meta"):
        transformer = WanTransformer3DModel(**TRANSFORMER | WAN_TRANSFORMER)
        vae = AutoencoderKLWan(**VAE | WAN_VAE)
        text = transformers.UMT5EncoderModel(transformers.UMT5Config(**UMT5_XXL))
    sizes = [sum(p.numel() for p in part.parameters()) for part in (transformer, vae, text)]
    assert sizes == [FULL.unet, FULL.vae, FULL.text_encoder]
    assert sizes[1] * 4 / 1e9 == pytest.approx(2.82, abs=0.01), "the hub's size of the VAE"
    assert sizes[2] * 2 / 1e9 == pytest.approx(11.4, abs=0.05), "the hub's size of the text encoder"


def test_a_folder_is_used_by_its_path_and_by_a_name(tiny_wan: Path, settings: Settings) -> None:
    assert family_of_folder(tiny_wan) is family("wan")
    found = find_model(str(tiny_wan), load_presets(settings), settings)
    assert (found.preset.family, found.preset.sampling.model_dump()) == (
        "wan",
        found.preset.sampling.model_validate(SAMPLING).model_dump(),
    )
    assert use_folder(tiny_wan, settings).name == "tiny-wan"
    preset = find_model("tiny-wan", load_presets(settings), settings).preset
    assert preset.summary == f"{preset.sampling.steps} steps with guidance 5."
    own = {"label", "name", "summary", "summary_ru"}
    assert preset.model_dump(exclude=own) == found.preset.model_dump(exclude=own)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("transformer/config.json", "not a whole Wan 2.2 TI2V-5B model: transformer/config.json is missing"),
        ("vae/diffusion_pytorch_model.safetensors", "vae"),
        ("text_encoder/model.safetensors", r"lacks the text encoder \(text_encoder/, UMT5-XXL: 11.4 GB"),
        ("tokenizer/tokenizer.json", "tokenizer/tokenizer.json is missing"),
    ],
)
def test_what_is_missing_is_named(gone: str, said: str, tiny_wan: Path, tmp_path: Path) -> None:
    folder = tmp_path / "модель"
    shutil.copytree(tiny_wan, folder)
    (folder / gone).unlink()
    with pytest.raises(ModelError, match=said):
        FOLDERS.check(folder)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("transformer", {"in_channels": 36, "image_dim": 1280}),
        ("transformer", {"image_dim": 1280, "added_kv_proj_dim": 5120}),
        ("vae", {"z_dim": 16, "scale_factor_spatial": 8}),
        ("vae", {"_class_name": "AutoencoderKLLTXVideo"}),
    ],
)
def test_models_of_another_kind_are_refused(part: str, change: dict[str, Any], tiny_wan: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_wan, folder)
    place = folder / part / "config.json"
    place.write_text(json.dumps(json.loads(place.read_text(encoding="utf-8")) | change), encoding="utf-8")
    assert family_of_folder(folder) is family("wan")
    with pytest.raises(ModelError, match=r"Wan.*choose"):
        FOLDERS.check(folder)


def test_weights_in_several_files(tiny_wan: Path, wan: WanModel, tmp_path: Path) -> None:
    """As the hub has the transformer and the text encoder."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_wan, folder)
    for part, kind in (("transformer", WanTransformer3DModel), ("text_encoder", transformers.UMT5EncoderModel)):
        shutil.rmtree(folder / part)
        kind.from_pretrained(tiny_wan / part).save_pretrained(folder / part, max_shard_size="40kB")
        assert len(list((folder / part).glob("*-of-*.safetensors"))) > 1
    found = load(ModelFolder(FOLDERS.preset(folder), folder), choose_placement())
    wanted = wan.transformer.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in found.transformer.state_dict().items())
    sizes = [FOLDERS.size(place, FOLDERS.preset(place)) for place in (folder, tiny_wan)]
    assert sizes[0] == sizes[1]


def test_the_tiny_model_is_measured(tiny_wan: Path, wan: WanModel) -> None:
    found = FOLDERS.size(tiny_wan, FOLDERS.preset(tiny_wan))
    assert not found.large
    assert found.unet == sum(p.numel() for p in wan.transformer.parameters())
    assert found.vae == sum(p.numel() for p in wan.vae.parameters())
    assert 0 < found.text_encoder < 100_000
    assert (found.attention, found.vae_channels) == (2 * 24, 4)
    assert FOLDERS.size(tiny_wan / "absent", FOLDERS.preset(tiny_wan)).unet == FULL.unet
