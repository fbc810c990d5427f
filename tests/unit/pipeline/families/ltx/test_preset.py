"""The preset: what it says, that it is never chosen by itself, and its download, as the hub's protocol has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput, ModelError
from fanslymotion.models.download.hub import DownloadError
from fanslymotion.models.download.model import download
from fanslymotion.models.find import default_model, find_model, require_model
from fanslymotion.models.registry import check, look
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.ltx.folder import RATES, SINGLE_FILES
from fanslymotion.pipeline.families.ltx.sampling import SIGMAS
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.queue.submit import check_request
from fanslymotion.settings import Settings
from fanslymotion.tests.hub import Hub, own_models, published

from .test_folder import single  # noqa: F401 - the fixture


def test_what_it_says(settings: Settings) -> None:
    presets = load_presets(settings)
    preset = presets.model("ltx-2b")
    assert (preset.family, preset.sampling.sigmas, preset.sampling.steps) == ("ltx", SIGMAS, len(SIGMAS))
    assert {name: rate.model_dump() for name, rate in preset.rates.items()} == RATES
    assert "10 million" in preset.licence.notice
    names = list(presets.models)
    assert all(presets.model(name).trial for name in names[names.index("ltx-13b") :]), "those to be tried come last"
    assert preset.files[0] in SINGLE_FILES


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a models folder of its own: what is downloaded here is no other test's."""
    return own_models(settings, tmp_path)


@pytest.fixture
def hub(single: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:  # noqa: F811
    """The hub's repository, with the tiny model's files in its layout, and much that is not wanted."""
    more = {"ltxv-13b-0.9.8-dev.safetensors": b"x" * 2000, "README.md": b"about"}
    with published("Lightricks/LTX-Video", single, more, monkeypatch) as running:
        yield running


def test_the_large_model_comes_in_diffusers_layout(
    tiny_ltx: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = load_presets(settings)
    preset, small = presets.model("ltx-13b"), presets.model("ltx-2b")
    assert (preset.sampling, preset.rates, preset.trial) == (small.sampling, small.rates, True)
    sizes = [family("ltx").size(settings.models / "none", one) for one in (preset, small)]
    assert sizes[0].unet > 6 * sizes[1].unet, "before it is here its own size is planned with"
    assert sizes[0].vae == sizes[1].vae
    with published(preset.repository, tiny_ltx, {"README.md": b"about"}, monkeypatch):
        folder = download(preset, settings)
    assert not (folder / "README.md").exists()
    assert look("ltx-13b", presets, settings).ready
    assert family("ltx").size(folder, preset).unet < 1e6, "then its files are counted"
    assert default_model(presets, settings) == "mini", "it is never chosen by itself"


def test_the_download_takes_what_is_needed_and_checks_it(hub: Hub, settings: Settings) -> None:
    presets = load_presets(settings)
    preset = presets.model("ltx-2b")
    with pytest.raises(ModelError, match="models download ltx-2b"):
        require_model("ltx-2b", presets, settings)
    hub.corrupt[SINGLE_FILES[0]] = 1
    folder = download(preset, settings)
    got = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert SINGLE_FILES[0] in got
    assert not {"README.md", "ltxv-13b-0.9.8-dev.safetensors", "vae/config.json"} & got
    assert look("ltx-2b", presets, settings).ready
    assert check("ltx-2b", presets, settings) == []
    assert default_model(presets, settings) == "mini", "it is never chosen by itself"
    assert find_model("ltx-2b", presets, settings).folder == folder


def test_the_hub_lacks_a_file(hub: Hub, settings: Settings) -> None:
    del hub.files[SINGLE_FILES[0]]
    with pytest.raises(DownloadError, match=SINGLE_FILES[0]):
        download(load_presets(settings).model("ltx-2b"), settings)


def test_a_prompt_is_refused_by_models_that_read_none(settings: Settings) -> None:
    check_request(VideoRequest(model="mini"), settings)
    with pytest.raises(BadInput, match="prompt is waves, but the model mini has no such setting"):
        check_request(VideoRequest(model="mini", prompt="waves"), settings)
    with pytest.raises(BadInput) as refused:
        check_request(VideoRequest(model="mini", prompt="waves " * 1000), settings)
    assert len(str(refused.value)) < 300


def test_without_its_text_encoder_nothing_is_begun(hub: Hub, settings: Settings) -> None:
    """The size is said when the job is handed in, not after the photo was drawn."""
    folder = download(load_presets(settings).model("ltx-2b"), settings)
    (folder / "text_encoder" / "model.safetensors").unlink()
    with pytest.raises(BadInput, match=r"text encoder \(text_encoder/, T5-XXL: 9.5 GB.*models download ltx-2b"):
        check_request(VideoRequest(model="ltx-2b"), settings)
