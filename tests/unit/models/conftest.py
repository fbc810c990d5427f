"""A hub, a preset that points at it, and folders of one's own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.models.download.http import Patience
from fanslymotion.presets import ModelPreset, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, serve

WEIGHTS = "unet/model.safetensors"
PRESET = """
label = "Tiny"
source = "hub"
repository = "acme/tiny"
files = ["model_index.json", "*/config.json", "*/*.json", "*/*.safetensors"]
download_gb = 0.1
width = 128
height = 72
frames = 14
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    home, models = tmp_path / "home", tmp_path / "models"
    for key in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("FANSLYMOTION_HOME", str(home))
    monkeypatch.setenv("FANSLYMOTION_MODELS", str(models))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    (home / "presets" / "models").mkdir(parents=True)
    (home / "presets" / "models" / "tiny.toml").write_text(PRESET, encoding="utf-8")
    return Settings.from_env(os.environ)


@pytest.fixture
def hub(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    files = {
        "model_index.json": b'{"_class_name": "StableVideoDiffusionPipeline"}',
        "unet/config.json": b"{}",
        WEIGHTS: bytes(range(256)) * 4000,
        "README.md": b"not wanted",
    }
    with serve(Hub("acme/tiny", files)) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def preset(settings: Settings) -> ModelPreset:
    return load_presets(settings).model("tiny")


def quick(waits: list[str] | None = None) -> Patience:
    """Patience that does not wait; `waits` gets what it says."""
    return Patience(pause=lambda seconds: None, first=0.001, say=(waits if waits is not None else []).append)


def here(settings: Settings) -> dict[str, bytes]:
    """What the model's folder holds."""
    folder = settings.models / "tiny"
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def wanted(hub: Hub) -> dict[str, bytes]:
    """What the preset wants of the hub."""
    return {path: data for path, data in hub.files.items() if path != "README.md"}
