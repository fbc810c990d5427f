"""Look into a model's folder: its preset, its files' variants, its fingerprint, its sizes. Without torch."""

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from ....errors import ModelError, no_access, words_of
from ....fs import sync_tree, visible_files
from ....messages import Message, codes, msg
from ....presets import ModelPreset
from ....safetensors_header import tensor_shapes
from ..description import ModelFolder
from .content import content_hash

Method = TypeVar("Method", bound=Callable[..., Any])

OWN_FILE = "fanslymotion.json"
"""Optional file in a model folder: preset keys (width, height, frames, sampling, …) that the folder brings along."""

INDEX = "model_index.json"
"""What a whole folder in diffusers' format has."""


@contextmanager
def model_errors(folder: Path) -> Iterator[None]:
    """Convert an OSError in the block into a ModelError: a disconnected share, missing rights, a bad disk.

    `Path.is_file` and the like return False for a missing file only; any other error is raised.

    Args:
        folder: The model's folder, named in the error if the OSError names no file.
    """
    try:
        yield
    except OSError as e:
        raise unreadable(e.filename or folder, e) from e


def reads_folder(method: Method) -> Method:
    """Decorate a method that reads a model's folder to raise ModelError for an OSError; see `model_errors`.

    Args:
        method: Its first argument is the folder, or the `ModelFolder`.
    """

    @wraps(method)
    def reading(self: Any, place: Path | ModelFolder, *args: Any, **named: Any) -> Any:
        with model_errors(place if isinstance(place, Path) else place.folder):
            return method(self, place, *args, **named)

    return cast(Method, reading)


def read_json(path: Path) -> dict[str, Any]:
    """Read a configuration.

    Raises:
        ModelError: It cannot be read, or is no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise unreadable(path, e) from e
    if not isinstance(data, dict):
        raise ModelError(
            msg("{file} does not hold what it should (a JSON object); get that file of the model again", file=path)
        )
    return data


def known_json(path: Path) -> dict[str, Any]:
    """Read a configuration that may be missing or damaged: {} then."""
    try:
        return read_json(path)
    except ModelError:
        return {}


def plain_preset(folder: Path, usual: Mapping[str, Any], **fixed: Any) -> ModelPreset:
    """Make the preset of a folder that has none, with its `fanslymotion.json` where present.

    Args:
        folder: The model's.
        usual: Keys that `fanslymotion.json` may set otherwise.
        **fixed: Keys that it may not.

    Raises:
        ModelError: `fanslymotion.json` cannot be read, or has a wrong value.
    """
    own = read_json(folder / OWN_FILE) if (folder / OWN_FILE).is_file() else {}
    place = {"name": folder.name, "source": "folder", "folder": str(folder)}
    try:
        return ModelPreset.model_validate({"label": folder.name, **usual, **own, **fixed, **place})
    except ValidationError as e:
        first = e.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ModelError(
            msg(
                "{folder}: {key} is {value!r}: {why}; correct {file} there",
                folder=folder,
                key=key,
                value=first["input"],
                why=first["msg"],
                file=OWN_FILE,
            ),
            code=codes.WRONG_SETTING,
        ) from e


def has_weights(folder: Path, stem: str, variant: str = "") -> bool:
    """Tell whether a component's folder has its weights, in one file or in several with an index."""
    dot = f".{variant}" if variant else ""
    return any(
        (folder / name).is_file() for name in (f"{stem}{dot}.safetensors", f"{stem}.safetensors.index{dot}.json")
    )


def weight_variants(folder: Path, stem: str, known: Iterable[str], remedy: Message) -> tuple[str, ...]:
    """Return which variants of a component's weights are there.

    Args:
        folder: The component's.
        stem: File name of its weights, without variant and suffix.
        known: The variants to look for.
        remedy: For the error.

    Raises:
        ModelError: There is none.
    """
    if found := tuple(variant for variant in known if has_weights(folder, stem, variant)):
        return found
    if any(visible_files(folder, f"*{suffix}") for suffix in (".bin", ".ckpt", ".pt")):
        raise ModelError(
            msg(
                "{folder} has its weights only as pickle files, which can run any code when they are opened and "
                "are never loaded here; get the model's .safetensors files",
                folder=folder,
            )
        )
    missing = folder / f"{stem}.safetensors"
    raise ModelError(msg("{file} is missing; {remedy}", file=missing, remedy=remedy), code=codes.MODEL_ABSENT)


def fingerprint(folder: Path, places: Iterable[Path], read: tuple[str, ...] = (".json",)) -> str:
    """Change with weights and with configurations, not with dates: a copied folder stays the same model.

    Args:
        folder: The model's.
        places: Folders and files in it that count.
        read: Suffixes of the files whose content counts.

    Raises:
        ModelError: One of them cannot be read: a link that leads nowhere, missing rights, or it has just gone.
    """
    digest = hashlib.sha256()
    for path in (path for place in places for path in ([place] if place.is_file() else visible_files(place, "**/*"))):
        name = os.fsencode(path.relative_to(folder).as_posix())
        try:
            if path.suffix in read and path.is_file():
                digest.update(name + b"\n" + path.read_bytes())
            elif path.suffix == ".safetensors":
                digest.update(name + f" {content_hash(path)}\n".encode())
        except OSError as e:
            raise unreadable(path, e) from e
    return digest.hexdigest()[:16]


def unreadable(path: Path | str, error: Exception) -> ModelError:
    """Return the error that says why a file or folder of a model cannot be read, and what to do."""
    return no_access(path, error) or ModelError(
        msg("{file} cannot be read: {error}; get that file of the model again", file=path, error=words_of(error))
    )


def numbers_by_tensor(path: Path) -> dict[str, int]:
    """Return how many numbers each tensor of a file has; nothing where it cannot be read."""
    try:
        return {name: math.prod(shape) for name, shape in tensor_shapes(path).items()}
    except (OSError, ValueError):
        return {}


def tensor_files(folder: Path) -> list[Path]:
    """Return a component's safetensors files by name; none where the folder cannot be read."""
    try:
        return visible_files(folder, "*.safetensors")
    except OSError:
        return []


def parameters(folder: Path) -> int:
    """Count the numbers of a component in one of its variants; 0 when there are none or they cannot be read."""
    files = tensor_files(folder)
    half = [path for path in files if ".bf16" in path.name or ".fp16" in path.name]
    return sum(sum(numbers_by_tensor(path).values()) for path in half or files)


def build_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """Make a model's folder in one move, unless it is there.

    Args:
        folder: Where it goes; its parents are made.
        write: Fills an empty folder, `model_index.json` included; the same each time.

    Returns:
        `folder`.
    """
    if (folder / INDEX).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        write(half)
        sync_tree(half)
        os.replace(half, folder)
    except OSError:
        # Another process was quicker: its folder has the same weights.
        if not (folder / INDEX).is_file():
            raise
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return folder
