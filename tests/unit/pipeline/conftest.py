"""The loaded tiny model, and jobs on it. torch is imported only by the tests that ask for them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_svd
from PIL import Image

if TYPE_CHECKING:
    from fanslymotion.pipeline.families.svd.model import LoadedModel
    from fanslymotion.pipeline.model_cache import ModelCache

FAST = VideoRequest(resolution="small", seconds=2, quality="sampled", steps=3, seed=7, detail=False)
"""Three windows of three steps, 12 frames: half a second. Drawn at 56×32, shown at 128×72; nothing is interpolated,
and the photo gives no detail."""


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As in all tests, but its model draws 6 frames at once, not 14: a job takes half the time."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(tiny_svd.built(56, 32, 6), folder / "mini-random")
    return folder


@pytest.fixture(scope="session")
def tiny_model(models_dir: Path) -> Path:
    """A folder in diffusers' format with a random model of the real architecture: 56×32 pixels, 6 frames."""
    return models_dir / "mini-random"


@pytest.fixture(scope="session")
def loaded(tiny_model: Path) -> "LoadedModel":
    from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
    from fanslymotion.pipeline.families.svd.model import choose_placement, load

    return load(ModelFolder(folder_preset(tiny_model), tiny_model), choose_placement())


@pytest.fixture(scope="session")
def model_cache() -> "ModelCache":
    """One warm model for all tests of the session."""
    from fanslymotion.pipeline.model_cache import ModelCache

    return ModelCache()


@pytest.fixture(scope="session")
def small_photo(photo: Path) -> Image.Image:
    """The photo at 64×40 pixels: latents of 8×5, an odd side."""
    with Image.open(photo) as image:
        return image.convert("RGB").resize((64, 40))


@pytest.fixture
def presets(settings: Settings) -> Presets:
    """The bundled ones, and a size and three lengths that keep tests short."""
    (settings.presets_dir / "resolutions.toml").write_text("[small]\nwidth = 128\nheight = 72\n", encoding="utf-8")
    (settings.presets_dir / "durations.toml").write_text(
        "[one]\nseconds = 1\n[two]\nseconds = 2\n[four]\nseconds = 4\n", encoding="utf-8"
    )
    return load_presets(settings)


@pytest.fixture
def add_model(settings: Settings, tiny_model: Path) -> Callable[..., Presets]:
    """Add the tiny model under a name of its own, to be drawn at another size. Return all presets."""

    def call(name: str, width: int, height: int, **keys: Any) -> Presets:
        keys |= {"label": name, "source": "folder", "folder": str(tiny_model), "width": width, "height": height}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in {"frames": 6, **keys}.items()]
        (settings.presets_dir / "models" / f"{name}.toml").write_text("".join(lines), encoding="utf-8")
        return load_presets(settings)

    return call


@pytest.fixture
def fast() -> VideoRequest:
    return FAST


@pytest.fixture
def run(settings: Settings, presets: Presets, photo: Path, model_cache: "ModelCache", tmp_path: Path) -> Callable:
    """Produce a clip in the test's own folder; keywords go over the defaults."""
    from fanslymotion.models.find import find_model, find_upscaler
    from fanslymotion.pipeline.produce import produce

    def call(request: VideoRequest = FAST, **changes: Any):
        here = changes.get("presets", presets)
        known = {
            "model": changes.get("model") or find_model(request.model, here, settings),
            "upscaler": find_upscaler(request.upscaler, here, settings),
            "photo": photo,
            "out": tmp_path / "clip.mp4",
            "work": tmp_path / "work",
            "settings": settings,
            "presets": presets,
            "model_cache": model_cache,
        }
        return produce(request, **{**known, **changes})

    return call
