"""Find the LoRA files of this machine: `loras/` in the models' folder, one `.safetensors` file each. Without torch."""

import stat
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError, words_of
from ..messages import Message, codes, harmless, msg
from ..pipeline.families import family
from ..pipeline.families.base import Lora, ModelFolder
from ..pipeline.families.flow.lora import changed, file_fingerprint
from ..pipeline.request import VideoRequest
from ..safetensors_header import read_header
from ..settings import Settings

FOLDER, SUFFIX = "loras", ".safetensors"


@dataclass(frozen=True)
class LoraEntry:
    """A file in the list.

    Attributes:
        name: by which it is chosen.
        path: the file.
        size: bytes.
        problem: why it cannot be used, "" if it can.
    """

    name: str
    path: Path
    size: int
    problem: Message | str = ""

    def to_json(self) -> dict[str, Any]:
        """Convert it for JSON."""
        return {"name": self.name, "file": str(self.path), "size": self.size, "problem": str(self.problem)}


def loras_folder(settings: Settings) -> Path:
    """Return the folder of the files, which may be missing."""
    return settings.models / FOLDER


def list_loras(settings: Settings) -> list[LoraEntry]:
    """List the files by name, also those that cannot be used. Reads their headers; takes milliseconds."""
    return [entry for path in _files(settings) if (entry := _entry(path))]


def with_lora(model: ModelFolder, request: VideoRequest, settings: Settings, expected: str = "") -> ModelFolder:
    """Return the model with the LoRA that a request names; the model itself where it names none.

    Args:
        model: the model.
        request: the settings.
        settings: tell the folder.
        expected: the fingerprint that the file must have; "" for any.

    Raises:
        ModelError: there is no such file, it is damaged, it does not fit the model, or it is not the expected one.
    """
    if not request.lora:
        return model
    path = next((path for path in _files(settings) if path.stem == request.lora and _is_name(path.name)), None)
    if path is None:
        raise _unknown(request.lora, settings)
    wanted = request.lora_strength
    strength = model.preset.sampling.lora_strength if wanted is None else wanted
    try:
        fingerprint = file_fingerprint(path)
    except OSError as e:
        raise ModelError(_unreadable(path, e), code=codes.MODEL_ABSENT) from e
    if expected and fingerprint != expected:
        raise changed(path)
    chosen = replace(model, lora=Lora(path, strength, fingerprint))
    family(model.preset.family).check_lora(chosen)
    return chosen


def _files(settings: Settings) -> list[Path]:
    try:
        return sorted(path for path in loras_folder(settings).iterdir() if path.suffix == SUFFIX)
    except OSError:
        return []


def _entry(path: Path) -> LoraEntry | None:
    """Describe a file; None for a folder, and for a file that has gone since it was listed."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            return None
        return LoraEntry(path.stem, path, state.st_size, _problem(path))
    except OSError as e:
        gone = isinstance(e, FileNotFoundError) and not path.is_symlink()
        return None if gone else LoraEntry(path.stem, path, 0, _unreadable(path, e))


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
        why = msg("{what} is {name!r}; choose one of {known}", what="lora", name=name, known=", ".join(known))
    else:
        why = msg(
            "{what} is {name!r}, but there is none here; put its .safetensors file into {folder}",
            what="lora",
            name=name,
            folder=folder,
        )
    return ModelError(why, code=codes.MODEL_ABSENT)
