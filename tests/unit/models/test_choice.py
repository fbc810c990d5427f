"""What each model is for, what it can, which one is recommended, and the order of all lists."""

from collections import Counter
from pathlib import Path

import pytest
from fanslymotion.models.choice import abilities, in_order, purpose_of, recommended, seamless
from fanslymotion.models.registry import list_models
from fanslymotion.pipeline.families.base import ModelFiles
from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.pipeline.families.svd import StableVideoDiffusion
from fanslymotion.pipeline.families.svd import random_model as svd
from fanslymotion.presets import PURPOSES, ModelPreset, Presets, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.local(tmp_path / "home", tmp_path / "models")


@pytest.fixture
def presets(settings: Settings) -> Presets:
    return load_presets(settings)


def names(settings: Settings) -> list[str]:
    return [preset.name for preset in in_order(load_presets(settings), settings)]


def test_every_bundled_model_says_what_it_is_for_in_both_languages(presets: Presets) -> None:
    for preset in presets.models.values():
        purpose = purpose_of(preset)
        assert preset.purpose in PURPOSES
        assert purpose is not None
        assert purpose.say("ru") != purpose.say("en")


def test_a_purpose_is_one_of_a_few(presets: Presets) -> None:
    wrong = presets.models["mini"].model_dump() | {"purpose": "everything"}
    with pytest.raises(ValueError, match="purpose"):
        ModelPreset.model_validate(wrong)


def test_what_a_model_can(presets: Presets) -> None:
    def can(name: str) -> list[str]:
        return list(abilities(presets.models[name], presets))

    assert can("ltx-2b") == ["Prompt", "Last picture", "Loop", "LoRA", "12 s without a seam"]
    assert can("wan-14b-fast") == ["Prompt", "Last picture", "Loop", "LoRA", "6 s without a seam"]
    assert can("svd-xt") == ["Motion from gentle to strong"]
    assert [one.say("ru") for one in abilities(presets.models["wan-5b"], presets)][-1] == "6 с без шва"


def test_the_seamless_length_is_that_of_one_window(presets: Presets) -> None:
    model = presets.models["ltx-2b"]
    assert seamless(model, presets) == 12
    assert seamless(model.model_copy(update={"frames": 137}), presets) == 6
    assert seamless(model.model_copy(update={"frames": 25}), presets) == 0
    assert seamless(model.model_copy(update={"family": "unheard-of"}), presets) == 0


def test_the_first_is_recommended_with_its_reason(settings: Settings, presets: Presets) -> None:
    first = recommended(presets, settings)
    assert first is not None
    assert (first.name, names(settings)[0]) == ("svd-xt", "svd-xt")
    assert "no account" in first.reason
    assert "запись" in first.reason.say("ru")


def test_those_that_are_here_come_before_those_to_get_and_the_untried_last(settings: Settings) -> None:
    ltx.build(settings.models / "ltx-2b")
    found = names(settings)
    assert found[:3] == ["svd-xt", "mini", "ltx-2b"]
    trial = [load_presets(settings).models[name].trial for name in found if name != "ltx-2b"]
    assert trial == sorted(trial)


def test_a_real_one_that_is_here_is_recommended(settings: Settings) -> None:
    svd.build(settings.models / "svd")
    first = recommended(load_presets(settings), settings)
    assert first is not None
    assert (first.name, names(settings)[0]) == ("svd", "svd")
    assert "on this computer" in first.reason


def test_ones_own_model_is_recommended_as_that(settings: Settings, tmp_path: Path) -> None:
    use_folder(svd.build(tmp_path / "mine"), settings, "mine")
    file = settings.presets_dir / "models" / "mine.toml"
    file.write_text(file.read_text("utf-8").replace("demo = true", ""), "utf-8")  # as of a model of full size
    first = recommended(load_presets(settings), settings)
    assert first is not None
    assert first.name == "mine"
    assert "your own" in first.reason


def test_the_list_of_files_has_the_same_order(settings: Settings) -> None:
    svd.build(settings.models / "svd")
    assert [entry.name for entry in list_models(load_presets(settings), settings)] == names(settings)


def test_a_list_looks_at_each_model_once(settings: Settings, presets: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty models on a slow share it took three times as long."""
    looked: Counter[Path] = Counter()
    check = StableVideoDiffusion.check

    def counting(self: StableVideoDiffusion, folder: Path, preset: ModelPreset | None) -> ModelFiles:
        looked[folder] += 1
        return check(self, folder, preset)

    monkeypatch.setattr(StableVideoDiffusion, "check", counting)
    assert list_models(presets, settings)[0].name == "svd-xt"
    assert set(looked.values()) == {1}


@pytest.mark.parametrize("folder", ["~nosuchuser/model", "x" * 300, "a/" * 3000])
def test_a_preset_whose_folder_cannot_be_is_one_row(settings: Settings, folder: str) -> None:
    place = settings.presets_dir / "models"
    place.mkdir(parents=True)
    text = f"label = 'Own'\nsource = 'folder'\nfolder = '{folder}'\nwidth = 64\nheight = 64\nframes = 14\n"
    (place / "own.toml").write_text(text, encoding="utf-8")
    entries = {entry.name: entry for entry in list_models(load_presets(settings), settings)}
    assert entries["mini"].ready
    assert entries["own"].state == "missing"
    assert entries["own"].problem
