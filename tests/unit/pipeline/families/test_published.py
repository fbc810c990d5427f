"""The models as their makers publish them: the presets' file names fit, and no real folder is refused."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_ltx import AutoencoderKLLTXVideo
from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_ltx import LTXVideoTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from fanslymotion.models.download.model import download
from fanslymotion.models.registry import look
from fanslymotion.pipeline.families import family, family_of_folder
from fanslymotion.pipeline.families.ltx.folder import BUNDLED, FOLDERS
from fanslymotion.presets import ModelPreset, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import own_models, published
from fanslymotion.tests.published import REPOSITORIES, Published

KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        AutoencoderKLLTXVideo,
        AutoencoderKLTemporalDecoder,
        AutoencoderKLWan,
        LTXVideoTransformer3DModel,
        UNetSpatioTemporalConditionModel,
        WanTransformer3DModel,
    )
}


@pytest.fixture(params=list(REPOSITORIES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a models folder of its own: what is downloaded here is no other test's."""
    return own_models(settings, tmp_path)


@pytest.fixture
def preset(name: str, settings: Settings) -> ModelPreset:
    return load_presets(settings).model(name)


@pytest.fixture
def whole(name: str, tmp_path: Path) -> Path:
    """The repository with all its files, as git or `hf download` would bring it, without the weights' numbers."""
    folder = tmp_path / "whole"
    for path, data in REPOSITORIES[name].content().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


@pytest.fixture
def downloaded(
    name: str, preset: ModelPreset, whole: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    with published(REPOSITORIES[name].repository, whole, {}, monkeypatch):
        yield download(preset, settings)


def test_every_downloadable_model_is_here(settings: Settings) -> None:
    models = load_presets(settings).models.values()
    assert {m.name: m.repository for m in models if m.source == "hub"} == {
        name: one.repository for name, one in REPOSITORIES.items()
    }


def test_the_download_takes_what_is_needed_and_is_whole(
    name: str, preset: ModelPreset, downloaded: Path, settings: Settings
) -> None:
    got = {path.relative_to(downloaded).as_posix() for path in downloaded.rglob("*") if path.is_file()}
    assert {path for path in got if not path.startswith(".")} == set(REPOSITORIES[name].files)
    family(preset.family).check(downloaded, preset)
    assert family_of_folder(downloaded).name == preset.family
    assert look(name, load_presets(settings), settings).ready


def test_the_whole_repository_is_a_model_too(preset: ModelPreset, whole: Path) -> None:
    """As a folder of one's own, with everything in it that the download leaves out."""
    own = family_of_folder(whole)
    assert own.name == preset.family
    own.check(whole, None)
    made = own.folder_preset(whole)
    assert (made.width, made.height, made.frames) == (preset.width, preset.height, preset.frames)


def test_its_configurations_have_the_size_that_is_planned_with(preset: ModelPreset, whole: Path) -> None:
    """Before it is here and afterwards; the files here have no numbers that could be counted."""
    found, planned = (family(preset.family).size(folder, preset) for folder in (whole, whole / "absent"))
    assert found.attention == planned.attention
    assert found == replace(planned, attention=found.attention)


def test_a_single_file_is_not_read_with_another_versions_configuration(tmp_path: Path) -> None:
    """Lightricks/LTX-Video has LTX-Video 0.9.0 in folders, and newer versions in single files beside them."""
    for path, data in REPOSITORIES["ltx-2b"].content().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert FOLDERS.single_file(tmp_path) is not None
    assert FOLDERS.config(tmp_path, "vae") == json.loads(BUNDLED["vae"].read_text(encoding="utf-8"))


def numbers(config: dict[str, Any]) -> int:
    with torch.device("meta"):
        part = KINDS[config["_class_name"]].from_config(config)
    return sum(p.numel() for p in part.parameters())


@pytest.mark.parametrize(
    ("name", "part", "bytes_each"),
    [
        ("svd", "unet", 2),
        ("svd", "vae", 2),
        ("svd-xt", "unet", 2),
        ("ltx-13b", "transformer", 2),
        ("ltx-13b", "vae", 2),
        ("wan-5b", "transformer", 4),
        ("wan-5b", "vae", 4),
        ("wan-14b-fast", "vae", 2),
    ],
)
def test_the_files_have_the_architectures_numbers(name: str, part: str, bytes_each: int) -> None:
    """So wide are the numbers in the makers' files: Wan's 5B transformer comes in 32-bit ones."""
    found = REPOSITORIES[name]
    config = dict(found.configs[f"{part}/config.json"])
    assert found.bytes_of[part] == pytest.approx(numbers(config) * bytes_each, rel=0.003)


def test_the_single_file_has_its_architectures_numbers() -> None:
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in BUNDLED.values()]
    assert REPOSITORIES["ltx-2b"].bytes_of["transformer"] == pytest.approx(2 * sum(map(numbers, parts)), rel=0.003)


def test_the_presets_size_is_that_of_the_files(name: str, preset: ModelPreset) -> None:
    found: Published = REPOSITORIES[name]
    assert preset.download_gb == pytest.approx(math.fsum(found.bytes_of.values()) / 1e9, abs=0.06)
