"""A model's folder that cannot be read (a share that is not connected, rights): the other models stay usable."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import BadInput, ModelError
from fanslymotion.models.choice import in_order, recommended
from fanslymotion.models.find import default_model, find_model, find_upscaler, require_model
from fanslymotion.models.first_video import first_cost
from fanslymotion.models.registry import list_models, list_upscalers, look
from fanslymotion.models.use import use_model
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder

REASONS = {"ESTALE": errno.ESTALE, "EHOSTDOWN": errno.EHOSTDOWN, "EACCES": errno.EACCES, "EIO": errno.EIO}

FLOW = """
label = "On a share"
source = "folder"
folder = '{folder}'
family = "{family}"
width = 128
height = 72
frames = 17
"""
UPSCALER = """
label = "On a share"
source = "folder"
folder = '{folder}'
"""


def cut_off(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system answer with an error to all that asks for a folder or for what is in it."""

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(path: Any = ".", *more: Any, **named: Any) -> Any:
            if isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder):
                raise OSError(number, os.strerror(number), str(path))
            return real(path, *more, **named)

        return ask

    for name in ("stat", "lstat", "scandir", "listdir", "open"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))


@pytest.fixture(params=REASONS)
def reason(request: pytest.FixtureRequest) -> int:
    return REASONS[request.param]


@pytest.fixture
def share(settings: Settings, tiny_model: Path, tmp_path: Path) -> Path:
    """Models of all families, and an upscaler, on one share."""
    share = tmp_path / "share"
    share.mkdir()
    shutil.copytree(tiny_model, share / "own")
    use_folder(share / "own", settings, "own")
    presets = settings.presets_dir
    (presets / "upscalers").mkdir()
    for family in ("ltx", "wan", "wan_a14b"):
        text = FLOW.format(folder=share / family, family=family)
        (presets / "models" / f"own-{family}.toml").write_text(text, encoding="utf-8")
    (presets / "upscalers" / "sharper.toml").write_text(UPSCALER.format(folder=share / "up"), encoding="utf-8")
    return share


def test_the_other_models_are_listed_and_chosen(
    share: Path, settings: Settings, reason: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = load_presets(settings)
    assert look("own", presets, settings).ready
    cut_off(share, reason, monkeypatch)
    entries = {entry.name: entry for entry in [*list_models(presets, settings), *list_upscalers(presets, settings)]}
    assert entries["mini"].ready
    for name in ("own", "own-ltx", "own-wan", "own-wan_a14b", "sharper"):
        assert entries[name].state == "missing"
        assert os.strerror(reason) in entries[name].problem
        assert "whether its disk or share is connected" in entries[name].problem
    assert default_model(presets, settings) == "mini"
    assert {preset.name for preset in in_order(presets, settings)} == set(presets.models)
    assert recommended(presets, settings) is not None
    for preset in presets.models.values():
        assert first_cost(preset, presets, settings) is not None


def test_what_names_it_says_why_it_cannot_be_used(
    share: Path, settings: Settings, reason: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    presets = load_presets(settings)
    cut_off(share, reason, monkeypatch)
    for name in ("own", "own-ltx", "own-wan", "own-wan_a14b"):
        with pytest.raises(ModelError, match="disk or share is connected"):
            require_model(name, presets, settings)
    with pytest.raises(ModelError, match="disk or share is connected"):
        find_upscaler("sharper", presets, settings)
    with pytest.raises(ModelError, match="disk or share is connected"):
        use_folder(share / "own", settings)
    with pytest.raises((ModelError, BadInput)):
        use_model([share / "own"], presets, settings)
    with pytest.raises(BadInput, match="give the path of a folder"):
        find_model(str(share / "own"), presets, settings)
