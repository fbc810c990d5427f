"""The preset: what it says, that it is never chosen by itself, and its download, as the hub's protocol has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.cli import main
from fanslymotion.errors import BadInput, ModelError
from fanslymotion.models.download.model import download
from fanslymotion.models.find import default_model, find_model, require_model, taken_by
from fanslymotion.models.registry import check, look
from fanslymotion.pipeline.families.modes import sampled_steps
from fanslymotion.pipeline.families.wan.folder import FRAMES, HEIGHT, RATES, SAMPLING, WIDTH
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Sampling, load_presets
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, own_models, published
from typer.testing import CliRunner


def test_what_it_says(settings: Settings) -> None:
    presets = load_presets(settings)
    preset = presets.model("wan-5b")
    assert preset.family == "wan"
    assert preset.sampling == Sampling.model_validate(SAMPLING)
    assert {name: rate.model_dump() for name, rate in preset.rates.items()} == RATES
    assert (preset.width, preset.height, preset.frames) == (WIDTH, HEIGHT, FRAMES)
    assert (preset.licence.name, preset.trial) == ("Apache-2.0", True)
    assert preset.download_gb == 34.2
    assert sampled_steps(VideoRequest(mode="fast"), preset).steps == 20


def test_the_list_names_its_size_and_licence(settings: Settings) -> None:
    done = CliRunner().invoke(main.app, ["models", "list"], env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("wan-5b "))
    assert "(34.2 GB)" in lines[at]
    assert "Licence: Apache-2.0." in lines[at + 1]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a models folder of its own: what is downloaded here is no other test's."""
    return own_models(settings, tmp_path)


@pytest.fixture
def hub(tiny_wan: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub's repository, with the tiny model's files in its layout, and what is not wanted."""
    more = {"examples/i2v_input.JPG": b"x" * 2000, "README.md": b"about"}
    with published("Wan-AI/Wan2.2-TI2V-5B-Diffusers", tiny_wan, more, monkeypatch) as running:
        yield running


def test_the_download_takes_what_is_needed_and_checks_it(hub: Hub, settings: Settings) -> None:
    presets = load_presets(settings)
    preset = presets.model("wan-5b")
    with pytest.raises(ModelError, match="models download wan-5b"):
        require_model("wan-5b", presets, settings)
    hub.corrupt["transformer/diffusion_pytorch_model.safetensors"] = 1
    folder = download(preset, settings)
    got = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"vae/config.json", "text_encoder/model.safetensors", "tokenizer/tokenizer.json"} < got
    assert not {"README.md", "examples/i2v_input.JPG", "scheduler/scheduler_config.json"} & got
    assert look("wan-5b", presets, settings).ready
    assert check("wan-5b", presets, settings) == []
    assert default_model(presets, settings) == "mini", "it is never chosen by itself"
    assert find_model("wan-5b", presets, settings).folder == folder


def test_a_prompt_is_taken(hub: Hub, settings: Settings) -> None:
    """And settings of other families are not."""
    download(load_presets(settings).model("wan-5b"), settings)
    check_request(VideoRequest(model="wan-5b", prompt="waves"), settings)
    with pytest.raises(BadInput, match="motion_bucket_id is 9, but the model wan-5b has no such setting"):
        check_request(VideoRequest(model="wan-5b", motion_bucket_id=9), settings)


def test_without_guidance_there_is_no_negative_prompt(hub: Hub, settings: Settings) -> None:
    """Distilled models of this family are sampled without (FastWan)."""
    preset = load_presets(settings).model("wan-5b")
    assert "negative_prompt" in taken_by(preset)
    plain = preset.sampling.model_copy(update={"min_guidance": 1.0, "max_guidance": 1.0})
    assert "negative_prompt" not in taken_by(preset.model_copy(update={"sampling": plain}))
