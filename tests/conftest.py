"""Fixtures that all tests share. Light on purpose: torch is imported only by who builds the tiny model."""

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.bench.tiny_home import random_mini
from fanslymotion.garbage import no_collections
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests import certificates, databases, order, tiny_svd
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio
from fanslymotion.tests.wine import UNDER_WINE
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from PIL import Image

MODELS = "models"

# Neither a clock decides a test (of one example, of making them up) nor chance: the examples are the same in each run.
# FANSLYMOTION_EXPLORE makes up other ones (`tests/run.sh explore`).
hypothesis_settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="FANSLYMOTION_EXPLORE" not in os.environ,
)
hypothesis_settings.load_profile("untimed")

certificates.read_once()


@pytest.fixture(autouse=True)
def seeded() -> None:
    """A test that draws random tensors or layers draws the same ones every time, whatever ran before it."""
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)  # the processor's; those of GPUs take milliseconds


@pytest.fixture(scope="module", autouse=True)
def small_collections() -> None:
    """Collect what the file before left, and leave all that is still there out of this file's garbage collections.

    The pipeline collects after each model that it lets go: 0.3 s with the objects of all files before.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder, shared by the whole session, that holds the random tiny model as the stand-in for `mini`.

    It draws 56×32 pixels, not the 128×72 of `mini`: a job takes a third of the time.
    """
    folder = tmp_path_factory.mktemp(MODELS)
    shutil.copytree(tiny_svd.built(56, 32), folder / "mini-random")
    return folder


@pytest.fixture(scope="session")
def tiny_model(models_dir: Path) -> Path:
    """A folder in diffusers' format with a random model of the real architecture: 56×32 pixels, 14 frames."""
    return models_dir / "mini-random"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only unit tests that take few seconds and load no torch")
    parser.addoption("--record", action="store_true", help="write tests/seconds.json, which order and --fast go by")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(order.Record())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if config.getoption("--fast") and collection_path.suffix == ".py" and not order.is_fast(collection_path):
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Leave what the tests import out of garbage collections: half a million objects, a third of a second each time.

    The pipeline collects after each model that it lets go.
    """
    with no_collections(freeze=True):
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order.longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return order.scheduler(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    both = metafunc.definition.get_closest_marker("both_databases")
    if both and "settings" in metafunc.fixturenames:
        second = ["postgresql"] if both.kwargs.get("always") else soak("postgresql")
        metafunc.parametrize("settings", ["sqlite", *second], indirect=True)


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if UNDER_WINE:
        pytest.skip("wine: PostgreSQL's server is not tried there")
    with databases.server(tmp_path_factory.mktemp("pg")) as address:
        yield address


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, models_dir: Path) -> Iterator[Settings]:
    """A data folder of the test's own, with spaces and letters beyond ASCII in its name.

    The folder of models is all tests'; LoRAs that the test put there are gone after it.
    """
    home = tmp_path / "data папка"
    random_mini(home)
    made = Settings.local(home, models_dir)
    if getattr(request, "param", "sqlite") != "sqlite":
        made = replace(made, database=databases.new_database(request.getfixturevalue("postgresql")))
    yield made
    shutil.rmtree(models_dir / "loras", ignore_errors=True)


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
