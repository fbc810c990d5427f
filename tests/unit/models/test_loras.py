"""Any file in the LoRAs' folder is a row of the list, with its problem if it has one; none ends the list."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fanslymotion.errors import ModelError
from fanslymotion.models.commands import models_app
from fanslymotion.models.loras import list_loras, with_loras
from fanslymotion.pipeline.families.base import ModelFolder
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.settings import Settings
from fanslymotion.ui.serializers import options_json
from safetensors.torch import save_file
from typer.testing import CliRunner

GOOD = "good"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.local(tmp_path / "data", tmp_path / "models")


@pytest.fixture
def folder(settings: Settings) -> Path:
    place = settings.models / "loras"
    place.mkdir(parents=True)
    save_file({"w": torch.ones(2)}, place / f"{GOOD}.safetensors")
    return place


def deep(path: Path) -> None:
    path.write_bytes((200_005).to_bytes(8, "little") + b'{"a":' + b"[" * 200_000)


def linked(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def locked(path: Path) -> None:
    path.write_bytes(b"x")
    path.chmod(0)


def named(name: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        save_file({"w": torch.ones(2)}, path)
        os.rename(path, os.path.join(os.fsencode(path.parent), name + b".safetensors"))

    return make


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names or rights")
KINDS = [
    pytest.param(deep, "is not whole", id="deep"),
    pytest.param(lambda path: path.write_bytes(b""), "is not whole", id="empty"),
    pytest.param(linked, "cannot be read", id="dangling", marks=posix),
    pytest.param(locked, "cannot be read", id="locked", marks=posix),
    pytest.param(named(b"caf\xe9"), "rename it", id="undecodable", marks=posix),
    pytest.param(named(b"two\nlines\x1b[2J"), "rename it", id="control", marks=posix),
]


def test_a_file_and_a_pair_that_could_share_its_name_are_both_chosen_by_their_names(
    folder: Path, settings: Settings
) -> None:
    for name in ("rain", "rain_high", "rain_low"):
        save_file({"w": torch.ones(2)}, folder / f"{name}.safetensors")
    found = {entry.name: [path.stem for path in entry.paths] for entry in list_loras(settings)}
    assert found == {GOOD: [GOOD], "rain": ["rain"], "rain_high": ["rain_high", "rain_low"]}


@pytest.mark.parametrize(("make", "problem"), KINDS)
def test_a_bad_file_is_one_row(make: Callable, problem: str, folder: Path, settings: Settings) -> None:
    make(folder / "bad.safetensors")
    if make is locked and os.geteuid() == 0:
        pytest.skip("root reads everything")
    (folder / "a folder.safetensors").mkdir()
    told = {one.name: str(one.problem) for one in list_loras(settings)}
    assert told.pop(GOOD) == ""
    assert [problem in found for found in told.values()] == [True]
    shown = CliRunner().invoke(models_app, ["loras"], env=settings.environ())
    assert (shown.exit_code, len(shown.stdout.splitlines())) == (0, 2), shown.output
    assert "\x1b" not in shown.stdout
    listed = CliRunner().invoke(models_app, ["loras", "--json"], env=settings.environ())
    assert len(json.loads(listed.stdout)) == 2
    options = options_json(load_presets(settings), settings, True)
    assert options["loras"] == [GOOD]
    json.dumps(options, ensure_ascii=False).encode()


@pytest.mark.parametrize(("make", "problem"), KINDS)
def test_one_that_cannot_be_used_is_refused_in_a_sentence(
    make: Callable, problem: str, folder: Path, settings: Settings
) -> None:
    make(folder / "bad.safetensors")
    presets = load_presets(settings)
    model = ModelFolder(presets.model("ltx-2b"), settings.models / "ltx-2b")
    for name in ("bad", "caf\udce9", "two\nlines\x1b[2J", "a folder", "never"):
        with pytest.raises(ModelError) as told:
            with_loras(model, VideoRequest(model="ltx-2b", loras=(LoraChoice(name),)), settings)
        assert all(told.value.message.say(language).encode() for language in ("en", "ru"))


def test_a_long_name_is_taken(folder: Path, settings: Settings) -> None:
    name = "ы" * 120
    os.rename(folder / f"{GOOD}.safetensors", folder / f"{name}.safetensors")
    assert [(one.name, one.problem) for one in list_loras(settings)] == [(name, "")]
