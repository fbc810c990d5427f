"""Fixtures that all tests share. Light on purpose: torch is imported only by who builds the tiny model."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.bench.tiny_home import random_mini
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests import databases
from fanslymotion.tests.studio import Studio
from fanslymotion.tests.wine import UNDER_WINE
from filelock import FileLock
from PIL import Image

MODELS = "models"


@pytest.fixture(autouse=True)
def seeded() -> None:
    """A test that draws random tensors or layers draws the same ones every time, whatever ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder, shared by the whole session, that holds the random tiny model as the stand-in for `mini`.

    Built once a run, by a process of its own, so that torch does not come into this one; each of xdist's processes has
    a copy.
    """
    folder = tmp_path_factory.mktemp(MODELS)
    base = tmp_path_factory.getbasetemp()
    built = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "built" / "mini-random"
    with FileLock(built.parent.with_suffix(".lock")):
        if not built.exists():
            code = "import sys, pathlib; from fanslymotion.pipeline.tiny import build; build(pathlib.Path(sys.argv[1]))"
            subprocess.run([sys.executable, "-c", code, str(built)], check=True)
    shutil.copytree(built, folder / "mini-random")
    return folder


@pytest.fixture(scope="session")
def tiny_model(models_dir: Path) -> Path:
    """A folder in diffusers' format with a random model of the real architecture: 128×72 pixels, 14 frames."""
    return models_dir / "mini-random"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_databases") and "settings" in metafunc.fixturenames:
        metafunc.parametrize("settings", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if UNDER_WINE:
        pytest.skip("wine: PostgreSQL's server is not tried there")
    with databases.server(tmp_path_factory.mktemp("pg")) as address:
        yield address


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, models_dir: Path) -> Settings:
    """A data folder of the test's own, with spaces and letters beyond ASCII in its name."""
    home = tmp_path / "data папка"
    random_mini(home)
    made = Settings.local(home, models_dir)
    if getattr(request, "param", "sqlite") == "sqlite":
        return made
    return replace(made, database=databases.new_database(request.getfixturevalue("postgresql")))


@pytest.fixture
def presets(settings: Settings) -> Presets:
    return load_presets(settings)


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small landscape photo (320×180): a bright sky over a textured ground."""
    image = Image.radial_gradient("L").resize((320, 180))
    ground = Image.linear_gradient("L").resize((320, 180))
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.merge("RGB", (image, ground, Image.blend(image, ground, 0.3))).save(path)
    return path


@pytest.fixture(scope="module")
def make_studio(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Callable[..., Studio]]:
    made: list[Studio] = []

    def make(*words: str, **environ: str) -> Studio:
        studio = Studio(tmp_path_factory.mktemp("studio") / "data папка", models_dir, words, more=environ)
        studio.start()
        made.append(studio)
        return studio

    yield make
    for studio in made:
        if studio.process is not None and studio.process.poll() is None:
            studio.kill()


@pytest.fixture(scope="module")
def studio(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio()
