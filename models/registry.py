"""List, check and remove the models and upscalers of this machine, and register the user's own folders."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, ModelError, PresetError
from ..fs import is_link, remove_folder, retry_in_use, visible_files, write_whole
from ..messages import Message, msg
from ..pipeline.families import check_model, check_sampling, family_of_folder
from ..pipeline.media.upscale.files import check_upscaler
from ..presets import HubPreset, ModelPreset, Presets, UpscalerPreset
from ..presets.loader import BUNDLED, read_model
from ..presets.writer import to_toml
from ..safetensors_header import is_whole
from ..settings import Settings, own_path
from .choice import in_order
from .download.background import Downloads, partial_bytes
from .download.hub import RemoteFile
from .download.model import Manifest, folder_of
from .download.part_file import file_is_right
from .download.state import DownloadState
from .find import find_model, preset_folder
from .folder_size import folder_size, freed_bytes

LONGEST_USUAL = 50
"""Letters of a folder's name that a model's takes over. A name may have 61, with the number behind it."""

PATIENCE = 10.0
"""Seconds for a worker to unload a model: until its next heartbeat, and to free the memory."""


@dataclass(frozen=True)
class ModelEntry:
    """A model or an upscaler in the list.

    Attributes:
        preset: its preset.
        folder: its folder.
        state: `ready`, `missing`, `partial` (incomplete) or `damaged`.
        size: bytes on the disk; of a model with files of weights these, since all else is the other model's.
        problem: why it is not ready and what to do, "" if it is.
        random: the random `mini`, which is built when it is loaded.
        download: its running or last download.
    """

    preset: ModelPreset | UpscalerPreset
    folder: Path
    state: str
    size: int
    problem: str = ""
    random: bool = False
    download: DownloadState | None = None

    @property
    def name(self) -> str:
        """Return the preset's name."""
        return self.preset.name

    @property
    def ready(self) -> bool:
        """Tell whether it can be used."""
        return self.state == "ready"

    def to_json(self) -> dict[str, Any]:
        """Convert it for JSON."""
        preset, download = self.preset, self.download
        return {
            "name": self.name,
            "kind": "upscaler" if isinstance(preset, UpscalerPreset) else "model",
            "label": preset.label,
            "summary": preset.summary,
            "purpose": preset.purpose if isinstance(preset, ModelPreset) else None,
            "state": self.state,
            "problem": self.problem,
            "folder": str(self.folder),
            "size": self.size,
            "download_bytes": int(preset.download_gb * 1e9),
            "gated": preset.gated,
            "licence": preset.licence.name,
            "powered_by": preset.licence.powered_by,
            "download": None if download is None else {"status": download.status, "fraction": download.fraction},
        }


def list_models(presets: Presets, settings: Settings) -> list[ModelEntry]:
    """List all models, see `in_order`. Reads names, sizes and headers without network; takes milliseconds."""
    found = {name: look(name, presets, settings) for name in presets.models}
    return [found[preset.name] for preset in in_order(presets, settings, complete(found.values()))]


def complete(entries: Iterable[ModelEntry]) -> set[str]:
    """Return the names of the models that have all of their files, whole or not."""
    return {entry.name for entry in entries if entry.state in ("ready", "damaged")}


def list_upscalers(presets: Presets, settings: Settings) -> list[ModelEntry]:
    """List all upscalers, as `list_models` does."""
    return [look(name, presets, settings) for name in presets.upscalers]


def look(name: str, presets: Presets, settings: Settings) -> ModelEntry:
    """Return the entry of a model or an upscaler. Raise PresetError for an unknown name."""
    if name in presets.upscalers:
        upscaler = presets.upscaler(name)
        try:
            folder = preset_folder(upscaler, settings)
        except ModelError as e:
            return ModelEntry(upscaler, Path(upscaler.folder), "missing", 0, e.message)
        return _entry(upscaler, folder, settings, lambda: check_upscaler(upscaler, folder))
    try:
        found = find_model(name, presets, settings)
    except ModelError as e:  # a user's preset names what cannot be a path here
        model = presets.model(name)
        return ModelEntry(model, Path(model.folder), "missing", 0, e.message)
    preset, folder = found.preset, found.folder
    if found.random:
        return ModelEntry(preset, folder, "ready", folder_size(folder), random=True)
    return _entry(preset, folder, settings, lambda: check_model(folder, preset))


def _entry(
    preset: ModelPreset | UpscalerPreset, folder: Path, settings: Settings, examine: Callable[[], object]
) -> ModelEntry:
    """Make an entry. examine: raises ModelError if the files are incomplete."""
    download = Downloads(settings).state(preset.name) if preset.source == "hub" else None
    files = [] if isinstance(preset, UpscalerPreset) else preset.weights
    size = sum(max(0, _size(Path(file))) for file in files) if files else folder_size(folder)
    try:
        examine()
    except ModelError as e:
        begun = preset.source == "hub" and (size > 0 or partial_bytes(preset, settings) > 0)
        return ModelEntry(preset, folder, "partial" if begun else "missing", size, e.message, download=download)
    wrong = wrong_sizes(preset, folder, settings)
    if wrong:
        return ModelEntry(preset, folder, "damaged", size, _damaged(preset, wrong), download=download)
    return ModelEntry(preset, folder, "ready", size, download=download)


def wrong_sizes(preset: HubPreset, folder: Path, settings: Settings) -> list[str]:
    """Return files that are missing or of a wrong size, by the hub's list if there is one, else by their headers."""
    manifest = Manifest(preset.name, settings).read() if preset.source == "hub" else None
    if manifest is not None:
        return [file.path for file in manifest.files if _size(folder / file.path) != file.size]
    files = [path for path in visible_files(folder, "**/*.safetensors") if not is_whole(path)]
    if isinstance(preset, ModelPreset) and preset.weights:  # the transformers of the folder are not used
        files = [path for path in files if not path.parent.name.startswith("transformer")]
    return [path.relative_to(folder).as_posix() for path in files]


def check(
    name: str,
    presets: Presets,
    settings: Settings,
    report: Callable[[str, int, int], None] = lambda file, done, total: None,
) -> list[str]:
    """Read every byte of a model and compare hashes. The next download fetches damaged files again.

    Args:
        name: of the model or upscaler.
        presets: all presets.
        settings: tell the folders.
        report: receives (file, bytes done, bytes in all) a few times a second; may raise.

    Returns:
        Paths of the damaged files.

    Raises:
        PresetError: the name is unknown.
        ModelError: the model is missing or incomplete.
    """
    entry = look(name, presets, settings)
    if entry.random:
        return []
    if entry.state in ("missing", "partial"):
        raise ModelError(entry.problem)
    remote = Manifest(name, settings).read() if entry.preset.source == "hub" else None
    if remote is None:
        return wrong_sizes(entry.preset, entry.folder, settings)
    done, bad = 0, []
    for file in remote.files:
        if not _matches(entry.folder / file.path, file, lambda n, f=file: report(f.path, done + n, remote.size)):  # noqa: B023
            bad.append(file.path)
        done += file.size
    Manifest(name, settings).doubt(set(bad))
    return bad


def remove(
    name: str,
    presets: Presets,
    settings: Settings,
    release: Callable[[], object] = lambda: None,
    patience: float = PATIENCE,
) -> int:
    """Delete a downloaded model. A folder of the user's is only unregistered, its files stay; so do a link's.

    Args:
        name: of the model or upscaler.
        presets: all presets.
        settings: tell the folders.
        release: asks the workers to unload the model. Windows refuses to remove a file that a process has mapped.
        patience: seconds to retry after that.

    Returns:
        The freed bytes.

    Raises:
        BadInput: there is nothing to remove, or it is being downloaded.
        ModelError: a program still uses it after `patience` seconds.
    """
    preset = presets.downloadable(name)
    _check_removable(preset, presets)
    if preset.source == "folder":
        _unregister(preset, settings)
        return 0
    downloads = Downloads(settings)
    state = downloads.state(name)
    if state and state.status in ("starting", "running"):
        raise BadInput(
            msg(
                "{name} is being downloaded; cancel that first: fanslymotion models cancel {same}", name=name, same=name
            )
        )
    folder = folder_of(preset, settings)
    # Renamed first: a removal that breaks off in the middle never leaves half a model under the name.
    grave = folder.with_name(f".{folder.name}.removed")
    size = freed_bytes(folder, grave)
    if not folder.is_dir() and not grave.is_dir() and not is_link(folder):
        downloads.forget(name)
        raise BadInput(msg("{name} is not here: there is no {folder}", name=name, folder=folder))

    def bury() -> None:
        if grave.is_dir():  # left by a removal that broke off
            remove_folder(grave)
        if is_link(folder):  # what it leads to may be another program's
            remove_folder(folder)
        elif folder.is_dir():
            folder.rename(grave)
            remove_folder(grave)

    try:
        retry_in_use(bury, patience, release)
    except OSError as e:
        raise ModelError(
            msg(
                "{folder} could not be removed: {error}; end the program that uses it, then try again",
                folder=folder,
                error=e,
            )
        ) from e
    downloads.forget(name)
    return size


def folder_preset(path: Path) -> ModelPreset:
    """Return the preset of a folder of the user's. Raise ModelError or BadInput."""
    folder = own_path(path, "the folder")
    kind = family_of_folder(folder)
    kind.check(folder, None)
    preset = kind.folder_preset(folder)
    check_sampling(preset)
    return preset


def folder_name(path: Path) -> str:
    """Return the name of a folder's model, where the user gives none."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", own_path(path, "the folder").name.lower())
    return plain[:LONGEST_USUAL].strip("-._") or "own-model"


def save_preset(preset: ModelPreset, settings: Settings, name: str, usual: str) -> ModelPreset:
    """Write a preset of the user's, and return it with its name.

    Args:
        preset: names the folder, or the files of weights.
        settings: tell the folder of presets.
        name: as wished; "" = `usual`, with a number behind it where that is another model of the user's.
        usual: the name of a model without a wish.

    Raises:
        BadInput: the name cannot be used, or is another model's.
        ModelError: the file cannot be written.
    """

    def place(name: str) -> Path:
        return settings.presets_dir / "models" / f"{name}.toml"

    def taken(name: str) -> tuple[str, ...]:
        """Return what another model of that name is read from; () where there is none, or all of that is gone."""
        other = _sources(place(name))
        here = any(map(os.path.exists, other))
        return other if here and other != (preset.weights or (preset.folder,)) else ()

    if not name:
        free = (one for one in (usual, *(f"{usual}-{number}" for number in range(2, 100))) if not taken(one))
        name = next(free, usual)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name):
        raise BadInput(msg("the name is {name!r}; use letters, digits, '.', '_' and '-'", name=name))
    if (settings.presets_dir / "upscalers" / f"{name}.toml").is_file():
        raise BadInput(msg("{name!r} is the name of an upscaler of yours; choose another: --name", name=name))
    if any((BUNDLED / kind / f"{name}.toml").is_file() for kind in ("models", "upscalers")):
        raise BadInput(msg("{name!r} is the name of a bundled model; choose another: --name", name=name))
    if other := taken(name):
        raise BadInput(
            msg(
                "{name!r} is the name of another model of yours, from {source}; choose another: --name, or remove that "
                "one first: fanslymotion models remove {name}",
                name=name,
                source=", ".join(other),
            )
        )
    target = place(name)
    try:
        write_whole(target, to_toml(preset))
    except OSError as e:
        raise ModelError(
            msg("{file} cannot be written: {error}; make that folder writable", file=target, error=e.strerror or e)
        ) from e
    return preset.model_copy(update={"name": name})


def _sources(path: Path) -> tuple[str, ...]:
    """Return the files or the folder that a user's preset names, or itself; () where there is none that can be read."""
    try:
        known = read_model(path)
    except PresetError:
        return ()
    return known.weights or (known.folder or str(path),)


def _damaged(preset: HubPreset, wrong: list[str]) -> Message:
    if preset.source == "hub":
        remedy = msg("fanslymotion models download {name}", name=preset.name)
    else:
        bundled = preset.source == "bundled"
        remedy = msg("get the complete checkout again") if bundled else msg("get it from where it came")
    if len(wrong) == 1:
        return msg("{file} is not whole; {remedy}", file=wrong[0], remedy=remedy)
    return msg("{file} is not whole (and {more} more); {remedy}", file=wrong[0], more=len(wrong) - 1, remedy=remedy)


def _matches(path: Path, file: RemoteFile, report: Callable[[int], None]) -> bool:
    if _size(path) != file.size:
        return False
    done = 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        report(done)

    return file_is_right(path, file, on_bytes)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _check_removable(preset: ModelPreset | UpscalerPreset, presets: Presets) -> None:
    name = preset.name
    if preset.source == "bundled":
        raise BadInput(msg("{name} belongs to fanslymotion and stays", name=name))
    if users := [one.name for one in presets.models.values() if one.base == name and preset.source == "hub"]:
        raise BadInput(
            msg(
                "{name} stays: the model {user} uses its text encoder and VAE; remove that first: fanslymotion models "
                "remove {same}",
                name=name,
                user=users[0],
                same=users[0],
            )
        )


def _unregister(preset: ModelPreset | UpscalerPreset, settings: Settings) -> None:
    kind = "upscalers" if isinstance(preset, UpscalerPreset) else "models"
    path = settings.presets_dir / kind / f"{preset.name}.toml"
    if not path.is_file():
        raise BadInput(msg("{name} is not one of your own presets: {file} does not exist", name=preset.name, file=path))
    path.unlink()
