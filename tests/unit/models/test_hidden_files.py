"""Files that other programs put beside ours: macOS' `._name`, an editor's lock, a downloader's cache."""

import shutil
from pathlib import Path

import pytest
import torch
from fanslymotion.models.loras import list_loras
from fanslymotion.models.registry import check, list_upscalers, look, use_folder
from fanslymotion.pipeline.families import family
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.tiny_upscaler import RRDB, write
from safetensors.torch import save_file

APPLE_DOUBLE = bytes.fromhex("00051607 00020000") + b"Mac OS X        " + bytes(4000)


def shadow(folder: Path) -> None:
    """Put a `._name` beside every file, and a cache of an unfinished download into the folder."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(APPLE_DOUBLE)
    cache = folder / ".cache" / "huggingface" / "download"
    cache.mkdir(parents=True)
    (cache / "model.safetensors").write_bytes(b"the beginning")


def test_a_model_on_a_foreign_disk_is_whole_and_the_same(settings: Settings, tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(tiny_model, folder)
    before = family("svd").check(folder, None).fingerprint
    shadow(folder)
    use_folder(folder, settings, "own")
    presets = load_presets(settings)
    entry = look("own", presets, settings)
    assert (entry.state, entry.problem) == ("ready", "")
    assert check("own", presets, settings) == []
    assert family("svd").check(folder, None).fingerprint == before


def test_an_upscaler_on_a_foreign_disk_is_ready(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    write(folder / "RealESRGAN.safetensors", RRDB)
    shadow(folder)
    presets = settings.presets_dir / "upscalers"
    presets.mkdir()
    text = f"label = 'Own'\nsource = 'folder'\nfolder = '{folder.as_posix()}'\n"
    (presets / "own-x4.toml").write_text(text, encoding="utf-8")
    states = {entry.name: entry.state for entry in list_upscalers(load_presets(settings), settings)}
    assert states["own-x4"] == "ready"


def test_they_are_no_loras(settings: Settings) -> None:
    folder = settings.models / "loras"
    folder.mkdir(parents=True)
    save_file({"w": torch.ones(2)}, folder / "good.safetensors")
    shadow(folder)
    assert [entry.name for entry in list_loras(settings)] == ["good"]


@pytest.mark.parametrize("name", ["._tiny.toml", ".#tiny.toml", ".tiny.toml.swp.toml"])
@pytest.mark.parametrize("folder", ["models", "upscalers"])
def test_they_are_no_presets(settings: Settings, folder: str, name: str) -> None:
    place = settings.presets_dir / folder
    place.mkdir(exist_ok=True)
    (place / name).write_bytes(APPLE_DOUBLE)
    assert "tiny" in load_presets(settings).models
