"""A tiny Wan 2.2 TI2V, loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from fanslymotion.pipeline.families.wan.model import WanModel


@pytest.fixture(scope="session")
def tiny_wan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format."""
    from fanslymotion.pipeline.families.wan.random_model import build

    return build(tmp_path_factory.mktemp("wan") / "tiny-wan")


@pytest.fixture(scope="session")
def wan(tiny_wan: Path) -> "WanModel":
    from fanslymotion.pipeline.families.base import ModelFolder
    from fanslymotion.pipeline.families.placement import choose_placement
    from fanslymotion.pipeline.families.wan.folder import folder_preset
    from fanslymotion.pipeline.families.wan.model import load

    return load(ModelFolder(folder_preset(tiny_wan), tiny_wan), choose_placement())


@pytest.fixture(scope="session")
def wan_photo(photo: Path) -> Image.Image:
    """The photo at the tiny model's native size."""
    with Image.open(photo) as image:
        return image.convert("RGB").resize((128, 64))
