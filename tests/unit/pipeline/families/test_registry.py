"""Families are found by their folders; importing one imports no torch."""

import shutil
import subprocess
import sys
from importlib import import_module
from inspect import get_annotations
from pathlib import Path

import pytest
from fanslymotion.errors import ModelError
from fanslymotion.models.find import find_model
from fanslymotion.models.registry import list_models
from fanslymotion.pipeline.families import families, family, family_of_folder
from fanslymotion.pipeline.families.base import Family, parts
from fanslymotion.pipeline.families.weights.folders import OWN_FILE
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings


def test_every_bundled_model_has_a_family(settings: Settings) -> None:
    for preset in load_presets(settings).models.values():
        assert preset.family in families()
        assert family(preset.family).name == preset.family


@pytest.mark.parametrize("name", families())
def test_the_type_checker_compares_every_family_with_the_protocol(name: str) -> None:
    """It does so where `FAMILY` is declared as a `Family`; without the annotation it takes whatever is assigned."""
    module = import_module(f"fanslymotion.pipeline.families.{name}")
    assert get_annotations(module, eval_str=True)["FAMILY"] is Family


def test_an_unknown_family_is_said_with_those_that_there_are(settings: Settings, presets: Presets) -> None:
    with pytest.raises(ModelError, match="family is 'hunyuan'; choose one of svd"):
        family("hunyuan")
    with pytest.raises(ModelError, match="family is 'os'"):
        family("os")
    (settings.presets_dir / "models").mkdir(exist_ok=True)
    (settings.presets_dir / "models" / "mine.toml").write_text(
        'label = "mine"\nfamily = "hunyuan"\nsource = "folder"\nfolder = "/x"\nwidth = 64\nheight = 64\nframes = 8\n',
        encoding="utf-8",
    )
    listed = {entry.name: entry for entry in list_models(load_presets(settings), settings)}
    assert "family is 'hunyuan'" in str(listed["mine"].problem)


def test_a_folder_is_known_by_what_lies_in_it(tiny_model: Path, tmp_path: Path) -> None:
    assert family_of_folder(tiny_model).recognises(tiny_model)
    with pytest.raises(ModelError, match="is missing"):
        family_of_folder(tmp_path).check(tmp_path, None)


def test_what_is_loaded_is_named_by_the_family() -> None:
    assert parts(family("svd")) == ("libraries", "image_encoder", "vae", "unet")
    for name in ("ltx", "wan"):
        assert parts(family(name)) == ("libraries", "text_encoder", "vae", "transformer")
    assert parts(family("wan_a14b"))[-2:] == ("transformer", "transformer_2")


def test_a_random_model_lies_where_it_is_built(settings: Settings, presets: Presets) -> None:
    model = find_model("mini", presets, settings)
    stand_in = family("svd").random_model(model.preset, settings.models / "mini-random")
    assert stand_in.random
    assert (stand_in.preset.width, stand_in.preset.height, stand_in.preset.latent_rgb) == (56, 32, None)


def test_the_size_of_a_random_model_is_its_folders_own(presets: Presets, tiny_model: Path, tmp_path: Path) -> None:
    """Where none is built yet, or its own file is damaged, it is the size with which one would be built."""

    def size() -> tuple[int, int]:
        preset = family("svd").random_model(presets.model("mini"), folder).preset
        return preset.width, preset.height

    folder = tmp_path / "mini-random"
    assert size() == (128, 72)
    shutil.copytree(tiny_model, folder)
    assert size() == (56, 32)
    (folder / OWN_FILE).write_text("{", encoding="utf-8")
    assert size() == (128, 72)


def test_all_families_are_known_without_torch() -> None:
    code = (
        "import sys\n"
        "from fanslymotion.pipeline.families import families, family\n"
        "from fanslymotion.pipeline.families.forecast import forecast\n"
        "print([family(name).components for name in families()] and 'torch' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert told.stdout.strip() == "False"
