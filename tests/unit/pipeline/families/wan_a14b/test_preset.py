"""The preset: what it says, its sizes, and its download, as the hub's protocol has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.errors import ModelError
from fanslymotion.models.download.model import download
from fanslymotion.models.find import default_model, find_model, require_model, taken_by
from fanslymotion.models.registry import check, look
from fanslymotion.pipeline.families.modes import modes_of
from fanslymotion.pipeline.families.wan_a14b.folder import FRAMES, FULL, HEIGHT, RATES, WIDTH
from fanslymotion.pipeline.output import resolve_output, sampled_size
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, own_models, published

NAME = "wan-14b-fast"


def test_what_it_says(settings: Settings) -> None:
    preset = load_presets(settings).model(NAME)
    sampling = preset.sampling
    assert (preset.family, preset.trial, preset.licence.name) == ("wan_a14b", True, "Apache-2.0")
    assert {name: rate.model_dump() for name, rate in preset.rates.items()} == RATES
    assert (preset.width, preset.height, preset.frames) == (WIDTH, HEIGHT, FRAMES)
    assert (sampling.steps, sampling.solver, sampling.shift, sampling.max_guidance) == (4, "euler", 5.0, 1.0)
    assert list(modes_of(preset)) == ["best"], "four steps leave nothing out"
    assert taken_by(preset) == ("prompt", "loras", "int8", "loop", "last_photo"), "nor a negative prompt"
    computed = 2 * (2 * FULL.unet + FULL.text_encoder + FULL.vae)
    assert preset.download_gb == pytest.approx(computed / 1e9, abs=0.1)


@pytest.mark.parametrize(("resolution", "drawn"), [("480p", (848, 480)), ("720p", (1280, 720)), ("1080p", (1280, 720))])
def test_what_is_generated_at_full_size(resolution: str, drawn: tuple[int, int], settings: Settings) -> None:
    """1080p is enlarged from 720p, as with the other models."""
    presets = load_presets(settings)
    preset = presets.model(NAME)
    for photo, size in (((1600, 900), drawn), ((900, 1600), drawn[::-1])):
        output = resolve_output(VideoRequest(resolution=resolution, seconds=6), photo, preset, presets)
        assert sampled_size(output, preset) == size


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a models folder of its own: what is downloaded here is no other test's."""
    return own_models(settings, tmp_path)


@pytest.fixture
def hub(tiny_wan_a14b: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub's repository, with the tiny model's files in its layout, and what is not wanted."""
    more = {"assets/comp.mp4": b"x" * 2000, "README.md": b"about"}
    with published("magespace/Wan2.2-I2V-A14B-Lightning-Diffusers", tiny_wan_a14b, more, monkeypatch) as running:
        yield running


def test_the_download_takes_what_is_needed(hub: Hub, settings: Settings) -> None:
    presets = load_presets(settings)
    with pytest.raises(ModelError, match=f"models download {NAME}"):
        require_model(NAME, presets, settings)
    folder = download(presets.model(NAME), settings)
    got = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    both = {f"{name}/diffusion_pytorch_model.safetensors" for name in ("transformer", "transformer_2")}
    assert both | {"vae/config.json", "text_encoder/model.safetensors", "model_index.json"} < got
    assert not {"README.md", "assets/comp.mp4", "scheduler/scheduler_config.json"} & got
    assert look(NAME, presets, settings).ready
    assert check(NAME, presets, settings) == []
    assert default_model(presets, settings) == "mini", "it is never chosen by itself"
    assert find_model(NAME, presets, settings).folder == folder
