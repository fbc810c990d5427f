"""Find the folder of a model (by a preset's name or a path), and the file of an upscaler. Without torch."""

import os
from collections.abc import Collection
from pathlib import Path

from ..errors import BadInput, ModelError, PresetError
from ..messages import msg
from ..pipeline.families import check_model, family, family_of_folder
from ..pipeline.families.base import ModelFolder
from ..pipeline.families.flow.weights_files import stays_packed
from ..pipeline.media.upscale.files import UpscalerFile, check_upscaler
from ..presets import HubPreset, ModelPreset, Presets
from ..presets.options import OPTIONS
from ..settings import ROOT, Settings, own_path

OF_WEIGHTS = ("loras", "int8")
"""Settings that change the weights: those of a quantised file stay as they are."""


def find_model(name: str, presets: Presets, settings: Settings) -> ModelFolder:
    """Find a model's folder, whether or not it is complete.

    Args:
        name: Name of a preset, or path of a folder.
        presets: All presets.
        settings: The folder of downloaded models.

    Raises:
        PresetError: The name is neither a preset nor a folder.
    """
    if name in presets.models:
        preset = presets.models[name]
        # A model with files of weights is in the folder of the one that they were added for, wherever that is now.
        folder = preset_folder(presets.models.get(preset.base, preset), settings)
        if preset.name == "mini" and not folder.is_dir():
            return random_mini(preset, settings)
        return ModelFolder(preset, folder)
    folder = own_path(name, "model")
    if not os.path.isdir(folder):  # unlike Path.is_dir false for a share that is not connected
        known = ", ".join(presets.models)
        raise PresetError(
            msg(
                "{what} is {name!r}; choose one of {known}, or give the path of a folder with a model",
                what="model",
                name=name,
                known=known,
            )
        )
    return ModelFolder(family_of_folder(folder).folder_preset(folder), folder)


def require_model(name: str, presets: Presets, settings: Settings) -> ModelFolder:
    """Find a model's folder as `find_model` does. The random `mini` counts as complete.

    Raises:
        PresetError: the name is neither a preset nor a folder.
        ModelError: the model is missing or incomplete.
    """
    model = find_model(name, presets, settings)
    if not model.random:
        check_model(model.folder, model.preset)
    return model


def taken_by(preset: ModelPreset) -> tuple[str, ...]:
    """Return the names of the optional settings that a model supports."""
    try:
        taken = family(preset.family).takes
    except ModelError:  # a user's preset with a family that is not here; `require_model` says so
        return ()
    guided, fixed = preset.sampling.max_guidance > 1, stays_packed(preset)
    return tuple(
        name
        for name in taken
        if (guided or name not in OPTIONS or not OPTIONS[name].guided) and not (fixed and name in OF_WEIGHTS)
    )


def ideas_of(preset: ModelPreset, presets: Presets) -> tuple[str, ...]:
    """Return the names of a model's ready prompts; none if it reads no prompt."""
    if "prompt" not in taken_by(preset):
        return ()
    return tuple(name for name in presets.ideas if preset.ideas is None or name in preset.ideas)


def is_complete(name: str, presets: Presets, settings: Settings) -> bool:
    """Tell whether a model of the presets has all of its files."""
    try:
        require_model(name, presets, settings)
    except ModelError:
        return False
    return True


def default_model(presets: Presets, settings: Settings, complete: Collection[str] | None = None) -> str:
    """Choose the model if the user chose none: the first complete one, else the demo model.

    Args:
        presets: all presets.
        settings: tell the folder of downloaded models.
        complete: names of the models that have all of their files; None = they are looked at.
    """
    for preset in presets.models.values():
        if preset.demo or preset.trial:
            continue
        if preset.name in complete if complete is not None else is_complete(preset.name, presets, settings):
            return preset.name
    return "mini"


def random_mini(preset: ModelPreset, settings: Settings) -> ModelFolder:
    """Return the folder of the random stand-in for `mini`, which loading builds."""
    return family(preset.family).random_model(preset, settings.models / "mini-random")


def find_upscaler(name: str | None, presets: Presets, settings: Settings) -> UpscalerFile | None:
    """Find an upscaler's file. Return None if no upscaler is requested.

    Raises:
        PresetError: The name is unknown.
        ModelError: The file is missing.
    """
    if name is None:
        return None
    preset = presets.upscaler(name)
    return check_upscaler(preset, preset_folder(preset, settings))


def preset_folder(preset: HubPreset, settings: Settings) -> Path:
    """Return the folder of a preset's files, whether or not it exists."""
    if preset.source == "bundled":
        return ROOT / preset.folder
    if preset.source == "hub":
        return settings.models / preset.name
    try:
        return own_path(preset.folder, f"{preset.name}: folder")
    except BadInput as e:  # one preset of the user's must not stop the list of all
        raise ModelError(e.message) from e
