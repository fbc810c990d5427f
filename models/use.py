"""Create a model from files of weights, which replace another model's transformers. No torch."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import BadInput, ModelError
from ..fs import visible_files
from ..messages import codes, msg
from ..pipeline.families import check_model, family, family_of_folder
from ..pipeline.families.base import ModelFolder
from ..pipeline.families.flow.family import FlowFamily
from ..pipeline.families.flow.weights_files import likeness
from ..pipeline.families.weights.files.header import FORMATS, is_weights_file, read_weights_file
from ..pipeline.families.weights.folders import INDEX, model_errors
from ..presets import ModelPreset, Presets
from ..settings import Settings, own_path
from .distilled import chosen, is_distilled, sampled_otherwise
from .find import find_model
from .recognise import refuse_others
from .registry import folder_name, folder_preset, save_preset

HIGH, LOW = re.compile(r"high", re.IGNORECASE), re.compile(r"low", re.IGNORECASE)
"""In the name of a file, or of its folder: which of two transformers it is, the one for much noise or the other."""
CONFIG = "config.json"
"""Beside the weights of a component in diffusers' format."""


def use_model(
    paths: Sequence[Path],
    presets: Presets,
    settings: Settings,
    name: str = "",
    base: str = "",
    distilled: bool | None = None,
) -> ModelPreset:
    """Create a preset for a user's model, without copying it.

    Args:
        paths: One model folder, files of weights, or a folder with such files.
        presets: All presets.
        settings: The folders.
        name: Of the new model; "" = derived from the files.
        base: Name of the model whose transformers the files replace; "" = the first complete one that they fit.
        distilled: The model is sampled in a few steps without guidance, or is not; None = as its files or names say.

    Raises:
        BadInput, ModelError, PresetError: Something is missing, damaged, or does not fit.
    """
    given = [own_path(path, "the folder") for path in paths]
    files: list[Path] = []
    for path in given:
        with model_errors(path):
            files += _files(path)
    if files:
        return _use_files(files, presets, settings, name, base, distilled)
    if base or len(given) != 1:
        raise BadInput(
            msg(
                "there is no {suffix} file in {paths}; check the name",
                suffix=" / ".join(FORMATS),
                paths=", ".join(map(str, given)),
            )
        )
    return save_preset(chosen(folder_preset(given[0]), distilled), settings, name, folder_name(given[0]))


def _use_files(
    files: Sequence[Path], presets: Presets, settings: Settings, name: str, base: str, distilled: bool | None
) -> ModelPreset:
    for file in files:
        refuse_others(file, settings)
    model = _base(files, presets, settings, base)
    kind = _flow(model.preset)
    assert kind is not None
    ordered = _in_order(files, kind, model.name)
    headers = [read_weights_file(file) for file in ordered]
    kinds = dict.fromkeys(header.quantisation for header in headers)
    few = is_distilled(kind, ordered, headers) if distilled is None else distilled
    how = sampled_otherwise(model, kind, few, ordered[0])
    # A base that is sampled otherwise is of another version, too: the file's own name says which.
    label = ordered[0].stem if how else model.preset.label
    preset = model.preset.model_copy(
        update={
            **how,
            "label": f"{label}, {' / '.join(kinds)}",
            "purpose": "small_card",
            "source": "folder",
            "folder": str(model.folder),
            "weights": tuple(map(str, ordered)),
            "base": model.name,
            "rotated": any(kind.folders.rotated(file, model.folder) for file in ordered),
            "files": (),
            "download_gb": 0.0,
            "gated": False,
        }
    )
    check_model(model.folder, preset)
    mark = ["dev"] if how and not few and kind.folders.not_distilled else []
    return save_preset(preset, settings, name, "-".join([model.name, *mark, *kinds]).lower())


def _files(path: Path) -> list[Path]:
    """Return the files of weights at a path; none for a model's own folder, complete or not."""
    if not path.is_dir():
        return [path] if is_weights_file(path) else []
    if (path / INDEX).is_file() or family_of_folder(path).recognises(path):
        return []
    found = (file for pattern in ("*", "*/*") for file in visible_files(path, pattern) if is_weights_file(file))
    return sorted(file for file in found if not (file.parent / CONFIG).is_file())


def _flow(preset: ModelPreset) -> FlowFamily | None:
    try:
        kind: Any = family(preset.family)
    except ModelError:  # a user's preset with a family that is not here
        return None
    return kind if isinstance(kind, FlowFamily) else None


def _base(files: Sequence[Path], presets: Presets, settings: Settings, wanted: str) -> ModelFolder:
    """Find the model whose transformers have the files' shapes.

    Raises:
        ModelError: There is none.
        PresetError: `wanted` is unknown.
    """
    able = [name for name, preset in presets.models.items() if _flow(preset) and not preset.weights]
    if wanted:
        wanted = presets.model(wanted).base or wanted
        if wanted not in able:
            raise BadInput(
                msg(
                    "{model} has no transformer whose place a file of weights could take; choose one of {known}",
                    model=wanted,
                    known=", ".join(able),
                )
            )
        model = find_model(wanted, presets, settings)
        _check(files, model)
        return model
    refusals: dict[int, ModelError] = {}
    here: list[str] = []
    for model in (find_model(name, presets, settings) for name in able):
        if os.path.isdir(model.folder):  # unlike Path.is_dir false for a share that is not connected
            here.append(model.name)
            try:
                _check(files, model)
            except ModelError as e:
                refusals.setdefault(_likeness(files[0], model), e)
                continue
            return model
    if nearest := max(refusals, default=0):
        raise refusals[nearest]
    raise ModelError(
        msg(
            "{file} fits none of the models that are here ({here}); it says: {architecture}. Get the model that it was "
            "made for first, if that is one of {known}",
            file=files[0],
            here=", ".join(here) or "—",
            architecture=read_weights_file(files[0]).architecture or "—",
            known=", ".join(able),
        ),
        code=codes.WRONG_SETTING,
    )


def _check(files: Sequence[Path], model: ModelFolder) -> None:
    kind = _flow(model.preset)
    assert kind is not None
    for file in files:
        kind.folders.check_file(file, model.folder, kind.folders.denoisers[0], model.preset)


def _likeness(file: Path, model: ModelFolder) -> int:
    kind = _flow(model.preset)
    assert kind is not None
    folders = kind.folders
    try:
        return likeness(
            read_weights_file(file), folders.file_shapes(model.folder, folders.denoisers[0]), folders.renames
        )
    except ModelError:
        return 0


def _in_order(files: Sequence[Path], kind: FlowFamily, model: str) -> list[Path]:
    """Return the files in the order of the transformers. Raise BadInput for too few or too many."""
    if len(kind.folders.denoisers) == 1:
        if len(files) == 1:
            return list(files)
        raise BadInput(
            msg("{model} has one transformer; choose one of {files}", model=model, files=", ".join(_names(files)))
        )
    high = [file for file in files if _is(HIGH, file) and not _is(LOW, file)]
    low = [file for file in files if _is(LOW, file) and not _is(HIGH, file)]
    if len(files) == 1:
        raise BadInput(
            msg(
                "{file} is one of two transformers of {model}; give the other one, too, or the folder with both",
                file=files[0].name,
                model=model,
            )
        )
    if (len(high), len(low), len(files)) != (1, 1, 2):
        raise BadInput(
            msg(
                "{model} has two transformers, for much noise and for little: give one file with HighNoise and one "
                "with LowNoise in its name; found: {files}",
                model=model,
                files=", ".join(_names(files)),
            )
        )
    return [*high, *low]


def _is(mark: re.Pattern[str], file: Path) -> bool:
    return bool(mark.search(file.stem)) or (not _marked(file.stem) and bool(mark.search(file.parent.name)))


def _marked(name: str) -> bool:
    return bool(HIGH.search(name) or LOW.search(name))


def _names(files: Sequence[Path]) -> Iterator[str]:
    return (file.name for file in files[:6])
