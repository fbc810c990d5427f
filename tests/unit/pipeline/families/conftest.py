"""The tiny video transformers, as folders and loaded, and jobs on them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fanslymotion.pipeline.request import VideoRequest
from PIL import Image

if TYPE_CHECKING:
    from fanslymotion.pipeline.families.ltx.model import LtxModel
    from fanslymotion.pipeline.families.wan.model import WanModel
    from fanslymotion.pipeline.families.wan_a14b.model import A14BModel
    from fanslymotion.pipeline.model_cache import ModelCache
    from fanslymotion.settings import Settings
    from fanslymotion.tests.weights_place import Place


SIZES = {
    "ltx": {"width": 64, "height": 32},
    "wan": {"width": 64, "height": 32},
    "wan_a14b": {"width": 48, "height": 32},
}
"""Native sizes in pixels, a fraction of what the random models have by themselves."""


@pytest.fixture(scope="session")
def tiny_ltx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format."""
    return build("ltx", tmp_path_factory.mktemp("ltx"))


@pytest.fixture(scope="session")
def tiny_wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format."""
    return build("wan", tmp_path_factory.mktemp("wan"))


@pytest.fixture(scope="session")
def brief_ltx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draws 65 frames at once, not 161: 4 s at 24 frames a second are two windows of 9 latent frames that share 5."""
    return build("ltx", tmp_path_factory.mktemp("brief_ltx"), frames=65)


@pytest.fixture(scope="session")
def brief_wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draws 49 frames at once, not 145: 4 s at 24 frames a second are two windows of 13 latent frames that share 1."""
    return build("wan", tmp_path_factory.mktemp("brief_wan"), frames=49)


@pytest.fixture(scope="session")
def ltx(tiny_ltx: Path) -> "LtxModel":
    return load("ltx", tiny_ltx)


@pytest.fixture(scope="session")
def wan(tiny_wan: Path) -> "WanModel":
    return load("wan", tiny_wan)


@pytest.fixture(scope="session")
def tiny_wan_a14b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format."""
    return build("wan_a14b", tmp_path_factory.mktemp("wan_a14b"))


@pytest.fixture(scope="session")
def wan_a14b(tiny_wan_a14b: Path) -> "A14BModel":
    return load("wan_a14b", tiny_wan_a14b)


@pytest.fixture(params=["ltx", "wan"])
def name(request: pytest.FixtureRequest) -> str:
    """Of a family that takes a LoRA.

    Whole jobs with other weights are made with one: how these get into a checkpoint's key and the file is shared.
    """
    return request.param


@pytest.fixture
def model(name: str, request: pytest.FixtureRequest) -> Any:
    """Its tiny model, loaded as it is."""
    return request.getfixturevalue(name)


def build(name: str, place: Path, **own: Any) -> Path:
    """own: keys of its preset."""
    made = import_module(f"fanslymotion.pipeline.families.{name}.random_model")
    return made.build(place / f"tiny-{name}", **(SIZES[name] | own))


def load(name: str, folder: Path) -> Any:
    from fanslymotion.pipeline.families import family
    from fanslymotion.pipeline.families.base import ModelFolder
    from fanslymotion.pipeline.families.placement import choose_placement

    model = ModelFolder(family(name).folder_preset(folder), folder)
    return family(name).load(model, choose_placement(), lambda part: None, True)


@pytest.fixture(scope="session")
def flow_photo(photo: Path) -> Image.Image:
    """The photo at 128×64 pixels."""
    with Image.open(photo) as image:
        return image.convert("RGB").resize((128, 64))


@pytest.fixture(scope="session")
def smaller_photo(flow_photo: Image.Image) -> Image.Image:
    """The photo at half of that: without patches, a VAE works on four times as many pixels."""
    return flow_photo.resize((64, 32))


@pytest.fixture(scope="session")
def warm() -> "ModelCache":
    """Keeps the tiny model of the last job loaded."""
    from fanslymotion.pipeline.model_cache import ModelCache

    return ModelCache()


@pytest.fixture
def make_with(run: Callable, warm: "ModelCache") -> Callable:
    """Produce with the model in a folder; keywords go over the defaults."""
    from fanslymotion.pipeline.families import family_of_folder
    from fanslymotion.pipeline.families.base import ModelFolder

    def call(folder: Path, request: VideoRequest, **changes: Any) -> Any:
        model = ModelFolder(family_of_folder(folder).folder_preset(folder), folder)
        return run(request, **{"model": model, "model_cache": warm, **changes})

    return call


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractContextManager[list[int]]]:
    """Let the first `times` calls of `where.name` find no memory; the list's only number counts them down."""
    import torch

    @contextmanager
    def fail(where: Any, name: str, times: int) -> Iterator[list[int]]:
        left, real = [times], getattr(where, name)

        def call(*args: Any, **options: Any) -> Any:
            if left[0] > 0:
                left[0] -= 1
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(where, name, call)
            yield left

    return fail


@pytest.fixture
def place(
    settings: "Settings", tmp_path: Path, ltx: Any, wan: Any, wan_a14b: Any, monkeypatch: pytest.MonkeyPatch
) -> "Place":
    """A machine with the tiny models."""
    from fanslymotion.tests.own_models import use_folder
    from fanslymotion.tests.weights_place import Place

    monkeypatch.setenv("FANSLYMOTION_HOME", str(settings.home))
    monkeypatch.setenv("FANSLYMOTION_MODELS", str(settings.models))
    for name, model in {"small-ltx": ltx, "small-wan": wan, "pair": wan_a14b}.items():
        use_folder(model.model.folder, settings, name)

    def tensors(family: str) -> Any:
        if family == "wan_a14b":
            return wan_a14b.experts.bring("transformer").state_dict()
        return {"ltx": ltx, "wan": wan}[family].transformer.state_dict()

    return Place(settings, tmp_path / "downloads", tensors)
