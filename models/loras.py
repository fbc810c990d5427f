"""Find the LoRA files of this machine: `loras/` in the models' folder, one `.safetensors` file each. Without torch."""

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..messages import Message, codes, msg
from ..pipeline.families import family
from ..pipeline.families.base import Lora, ModelFolder
from ..pipeline.request import VideoRequest
from ..safetensors_header import is_whole
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
    """List the files by name. Reads their headers; takes milliseconds."""
    return [_entry(path) for path in _files(settings)]


def with_lora(model: ModelFolder, request: VideoRequest, settings: Settings) -> ModelFolder:
    """Return the model with the LoRA that a request names; the model itself where it names none.

    Raises:
        ModelError: there is no such file, it is damaged, or it does not fit the model.
    """
    if not request.lora:
        return model
    path = next((path for path in _files(settings) if path.stem == request.lora), None)
    if path is None:
        raise _unknown(request.lora, settings)
    state = path.stat()
    wanted = request.lora_strength
    strength = model.preset.sampling.lora_strength if wanted is None else wanted
    lora = Lora(path, strength, _digest(path, state.st_size, state.st_mtime_ns))
    chosen = replace(model, lora=lora)
    family(model.preset.family).check_lora(chosen)
    return chosen


def _files(settings: Settings) -> list[Path]:
    try:
        return sorted(path for path in loras_folder(settings).iterdir() if path.suffix == SUFFIX and path.is_file())
    except OSError:
        return []


def _entry(path: Path) -> LoraEntry:
    problem = "" if is_whole(path) else msg("{file} is not whole; {remedy}", file=path.name, remedy=msg("get it again"))
    return LoraEntry(path.stem, path, path.stat().st_size, problem)


def _unknown(name: str, settings: Settings) -> ModelError:
    known, folder = [path.stem for path in _files(settings)], loras_folder(settings)
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


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:
    """Hash a file when it is another one: two trainings of the same layers differ in their numbers alone."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
