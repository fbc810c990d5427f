"""Find the LoRAs of this machine: `.safetensors` files in the models' `loras/`, or pairs of them. Without torch."""

import stat
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, words_of
from ..fs import visible_files
from ..messages import Message, codes, harmless, msg
from ..pipeline.families import family
from ..pipeline.families.base import Lora, LoraFile, ModelFolder, Role
from ..pipeline.families.flow.lora import changed, lora_fingerprint
from ..pipeline.request import VideoRequest
from ..safetensors_header import read_header
from ..settings import Settings
from .lora_halves import Halves, find_halves

FOLDER, SUFFIX = "loras", ".safetensors"


@dataclass(frozen=True)
class LoraEntry:
    """A LoRA in the list.

    Attributes:
        name: by which it is chosen.
        paths: the file; of a pair, that for much noise and that for little.
        size: bytes, of both.
        problem: why it cannot be used, "" if it can.
        missing: the file with the other half, where this one is a half; a model with one transformer does not mind.
    """

    name: str
    paths: tuple[Path, ...]
    size: int
    problem: Message | str = ""
    missing: str = ""

    def to_json(self) -> dict[str, Any]:
        """Convert it for JSON."""
        return {
            "name": self.name,
            "files": [str(path) for path in self.paths],
            "size": self.size,
            "problem": str(self.problem),
            "missing": self.missing,
        }


def loras_folder(settings: Settings) -> Path:
    """Return the folder of the files, which may be missing."""
    return settings.models / FOLDER


def list_loras(settings: Settings) -> list[LoraEntry]:
    """List the LoRAs by name, also those that cannot be used. Reads their headers; takes milliseconds."""
    files = _files(settings)
    found, halves = {path.stem: entry for path in files if (entry := _entry(path))}, _halves(files)
    for name, pair in halves.pairs.items():
        if all(half in found for half in pair):
            high, low = (found.pop(half) for half in pair)
            paths, problem = (*high.paths, *low.paths), high.problem or low.problem
            found[high.name] = LoraEntry(name, paths, high.size + low.size, problem)
    for name, other in halves.missing.items():
        if name in found:
            found[name] = replace(found[name], missing=f"{other}{SUFFIX}")
    return sorted(found.values(), key=lambda entry: entry.paths)


def with_loras(
    model: ModelFolder, request: VideoRequest, settings: Settings, expected: Sequence[str] = ()
) -> ModelFolder:
    """Return the model with the LoRAs that a request names; the model itself where it names none.

    Args:
        model: the model.
        request: the settings.
        settings: tell the folder.
        expected: the fingerprint that each of them must have; none for any.

    Raises:
        ModelError: there is no such file, it is damaged, it does not fit the model, or it is not the expected one.
    """
    if not request.loras:
        return model
    files = _files(settings)
    loras: list[Lora] = []
    for at, one in enumerate(request.loras):
        paths = _paths_of(one.name, model, files, settings)
        if any(paths[0] == file.path for lora in loras for file in lora.files):
            raise ModelError(
                msg("the LoRA {name!r} is asked for twice; name it once, with one strength", name=one.name),
                code=codes.WRONG_SETTING,
            )
        strength = model.preset.sampling.lora_strength if one.strength is None else one.strength
        lora = Lora(one.name, tuple(map(_file, paths)), strength)
        if at < len(expected):
            _check_unchanged(lora, expected[at])
        loras.append(lora)
    chosen = replace(model, loras=tuple(loras))
    family(model.preset.family).check_loras(chosen)
    return chosen


def _paths_of(name: str, model: ModelFolder, files: Sequence[Path], settings: Settings) -> tuple[Path, ...]:
    """Find what a name means for a model: one file, or two where the model has two transformers.

    Raises:
        ModelError: there is no such file, the other half is not here, or the model has no place for a pair.
    """
    halves, known = _halves(files), {path.stem: path for path in files if _is_name(path.name)}
    components = family(model.preset.family).components
    several = sum(component.role is Role.DENOISER for component in components) > 1
    pair = halves.pairs.get(name) or next((pair for pair in halves.pairs.values() if name in pair), None)
    if pair and (several or name not in known):
        if not several:
            why = msg(
                "the LoRA {name} is a pair of files, one for each transformer of a model with two, and {model} has "
                "one; choose another LoRA or another model",
                name=name,
                model=model.name,
            )
            raise ModelError(why, code=codes.WRONG_SETTING)
        return known[pair[0]], known[pair[1]]
    if name not in known:
        raise _unknown(name, settings)
    if several and name in halves.missing:
        why = msg(
            "the LoRA {name} is one half, and the other one is missing; put {file} beside it, or rename it if it is "
            "for both transformers of {model}",
            name=name,
            file=f"{halves.missing[name]}{SUFFIX}",
            model=model.name,
        )
        raise ModelError(why, code=codes.MODEL_ABSENT)
    return (known[name],)


def _file(path: Path) -> LoraFile:
    try:
        return LoraFile(path, lora_fingerprint(path))
    except OSError as e:
        raise ModelError(_unreadable(path, e), code=codes.MODEL_ABSENT) from e


def _check_unchanged(lora: Lora, expected: str) -> None:
    """Raise ModelError if it is not the one with that fingerprint."""
    wanted = expected.split("+")
    for at, file in enumerate(lora.files):
        if wanted[at : at + 1] != [file.fingerprint] or len(wanted) != len(lora.files):
            raise changed(file.path)


def _halves(files: Sequence[Path]) -> Halves:
    return find_halves(path.stem for path in files if _is_name(path.name))


def _files(settings: Settings) -> list[Path]:
    try:
        return visible_files(loras_folder(settings), f"*{SUFFIX}")
    except OSError:
        return []


def _entry(path: Path) -> LoraEntry | None:
    """Describe a file; None for a folder, and for a file that has gone since it was listed."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            return None
        return LoraEntry(path.stem, (path,), state.st_size, _problem(path))
    except OSError as e:
        gone = isinstance(e, FileNotFoundError) and not path.is_symlink()
        return None if gone else LoraEntry(path.stem, (path,), 0, _unreadable(path, e))


def _problem(path: Path) -> Message | str:
    """Raise OSError if the file cannot be read."""
    if not _is_name(path.name):
        shown = harmless(path.name.replace("\n", "\\n"))
        return msg("{file} has a name that cannot be shown; rename it", file=shown)
    try:
        why = read_header(path).problem
    except ValueError as e:
        why = words_of(e)
    return msg("{file} is not whole; {remedy}", file=path.name, remedy=msg("get it again")) if why else ""


def _is_name(name: str) -> bool:
    """Tell whether a name is text: no bytes that JSON cannot carry, and nothing that steers a terminal."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)


def _unreadable(path: Path, error: OSError) -> Message:
    return msg("{file} cannot be read: {error}; get it again", file=path.name, error=words_of(error))


def _unknown(name: str, settings: Settings) -> ModelError:
    known, folder = [one.name for one in list_loras(settings) if not one.problem], loras_folder(settings)
    if known:
        why = msg("there is no LoRA {name!r}; choose one of {known}", name=name, known=", ".join(known))
    else:
        why = msg(
            "there is no LoRA {name!r}, and none at all here; put its .safetensors file into {folder}",
            name=name,
            folder=folder,
        )
    return ModelError(why, code=codes.MODEL_ABSENT)
