"""A tiny LTX-Video, loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from fanslymotion.pipeline.families.ltx.model import LtxModel


@pytest.fixture(scope="session")
def tiny_ltx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in diffusers' format."""
    from fanslymotion.pipeline.families.ltx.random_model import build

    return build(tmp_path_factory.mktemp("ltx") / "tiny-ltx")


@pytest.fixture(scope="session")
def ltx(tiny_ltx: Path) -> "LtxModel":
    from fanslymotion.pipeline.families.base import ModelFolder
    from fanslymotion.pipeline.families.ltx.folder import folder_preset
    from fanslymotion.pipeline.families.ltx.model import load
    from fanslymotion.pipeline.families.placement import choose_placement

    return load(ModelFolder(folder_preset(tiny_ltx), tiny_ltx), choose_placement())


@pytest.fixture(scope="session")
def ltx_photo(photo: Path) -> Image.Image:
    """The photo at the tiny model's native size."""
    with Image.open(photo) as image:
        return image.convert("RGB").resize((128, 64))
