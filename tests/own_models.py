"""Register a folder as a model of the user's, as `fanslymotion models use` does."""

from pathlib import Path

from fanslymotion.models.use import use_model
from fanslymotion.presets import ModelPreset, load_presets
from fanslymotion.settings import Settings


def use_folder(path: Path, settings: Settings, name: str = "") -> ModelPreset:
    """Register a model's folder. name: of the model; "" = the folder's."""
    return use_model([path], load_presets(settings), settings, name)
