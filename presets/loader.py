"""Read the preset files, the bundled ones first, then the user's own from the data folder."""

import logging
import threading
import time
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import log2
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ..errors import PresetError
from ..fs import visible_files
from ..messages import msg
from ..settings import Settings
from .schema import MOST_SHOWN, Duration, Idea, ModelPreset, Preset, Quality, Rate, Resolution, UpscalerPreset

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).resolve().parent
QUALITIES = "qualities.toml"

P = TypeVar("P", bound=Preset)


@dataclass(frozen=True)
class Presets:
    """All presets by name, in the order of their files."""

    resolutions: Mapping[str, Resolution]
    durations: Mapping[str, Duration]
    qualities: Mapping[str, Quality]
    models: Mapping[str, ModelPreset]
    upscalers: Mapping[str, UpscalerPreset]
    ideas: Mapping[str, Idea]

    def resolution(self, name: str) -> Resolution:
        """Return a resolution. Raise PresetError if there is none, as the other methods do."""
        return _pick(self.resolutions, name, "resolution")

    def duration(self, seconds: int) -> Duration:
        """Return the duration of so many seconds."""
        by_seconds = {d.seconds: d for d in self.durations.values()}
        return _pick(by_seconds, seconds, "seconds")

    def quality(self, name: str) -> Quality:
        """Return a quality."""
        return _pick(self.qualities, name, "quality")

    def model(self, name: str) -> ModelPreset:
        """Return a model."""
        return _pick(self.models, name, "model")

    def upscaler(self, name: str) -> UpscalerPreset:
        """Return an upscaler."""
        return _pick(self.upscalers, name, "upscaler")

    def idea(self, name: str) -> Idea:
        """Return a ready prompt."""
        return _pick(self.ideas, name, "idea")

    def rate(self, model: ModelPreset | None, duration: Duration, quality: Quality) -> Rate:
        """Return how many frames a second are sampled, and how many shown for each.

        Args:
            model: The model's preset; None where that is gone, which leaves the length's and the quality's own rate.
            duration: Of the video.
            quality: Of the video.
        """
        own = self.own_rate(model, quality) if model else None
        return own or Rate(fps=duration.fps, interpolation=quality.interpolation)

    def own_rate(self, model: ModelPreset, quality: Quality) -> Rate | None:
        """Return a model's own rate at a quality; None for a model that has none.

        A quality of the user's, which no model's preset knows, is sampled as the nearest of the bundled ones. As many
        times more frames are shown for each as the two qualities differ in that.
        """
        bundled = [self.qualities[name] for name in _read_bundled(BUNDLED / QUALITIES)]
        if quality.name in model.rates or quality in bundled:
            return model.rates.get(quality.name)
        near = min(bundled, key=lambda one: abs(log2(one.interpolation / quality.interpolation)))
        rate = model.rates.get(near.name)
        if rate is None:
            return None
        shown = rate.interpolation * quality.interpolation // near.interpolation
        return Rate.model_validate({"fps": rate.fps, "interpolation": min(max(shown, 1), MOST_SHOWN)})

    def downloadable(self, name: str) -> ModelPreset | UpscalerPreset:
        """Return a model or an upscaler: both are downloaded and listed in the same way."""
        return self.upscalers[name] if name in self.upscalers else self.model(name)


def load_presets(settings: Settings) -> Presets:
    """Read all presets.

    Raises:
        PresetError: a file is wrong. Its message names the file, the key and the value.
    """
    folders = [BUNDLED, settings.presets_dir]
    models, upscalers = _files(folders, "models", ModelPreset), _files(folders, "upscalers", UpscalerPreset)
    models = dict(sorted(models.items(), key=lambda item: item[1].trial))  # those to be tried come last
    for name in sorted(models.keys() & upscalers.keys()):
        raise PresetError(
            msg("{name} is the name of a model and of an upscaler; rename the file of one of them", name=name)
        )
    qualities = _tables(folders, QUALITIES, Quality)
    for name, model in models.items():
        if unknown := next((one for one in model.rates if one not in qualities), None):
            why = f"rates.{unknown}: there is no such quality; known are {', '.join(qualities)}"
            file = next(path for folder in reversed(folders) if (path := folder / "models" / f"{name}.toml").is_file())
            raise PresetError(msg("{path}: {name}: {why}", path=file, name=name, why=why))
    return Presets(
        resolutions=_tables(folders, "resolutions.toml", Resolution),
        durations=_one_of_a_length(_tables(folders, "durations.toml", Duration)),
        qualities=qualities,
        models=models,
        upscalers=upscalers,
        ideas=_tables(folders, "ideas.toml", Idea),
    )


def read_model(path: Path) -> ModelPreset:
    """Read one model's preset, whose name is the file's.

    Raises:
        PresetError: there is no such file, or it is wrong.
    """
    return _check(ModelPreset, path.stem, _read(path), path)


class LivePresets:
    """The presets of a long-running program, read again when a file was added or changed.

    After an error in a file the presets read before stay in use, and the error is logged.

    Args:
        settings: tell the user's presets folder.
    """

    LOOK_SECONDS = 1.0
    """Between two checks for changed files."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        """Of a look at the files and of what follows from it: an older look must not replace a newer one's presets."""
        self._seen = self._files()
        self._looked = time.monotonic()
        self._known = load_presets(settings)

    def now(self, fresh: bool = False) -> Presets:
        """Return the current presets.

        Args:
            fresh: check the files even if that was done less than LOOK_SECONDS ago, or is being done by another thread.
        """
        if not fresh and time.monotonic() - self._looked < self.LOOK_SECONDS:
            return self._known
        if not self._lock.acquire(blocking=fresh):
            return self._known
        try:
            return self._look()
        finally:
            self._lock.release()

    def _look(self) -> Presets:
        self._looked = time.monotonic()
        files = self._files()
        if files != self._seen:
            self._seen = files
            try:
                self._known = load_presets(self._settings)
            except PresetError as e:
                log.warning("The presets stay as they were: %s", e)
        return self._known

    def _files(self) -> set[tuple[str, int, int]]:
        found: set[tuple[str, int, int]] = set()
        for path in visible_files(self._settings.presets_dir, "**/*.toml"):
            with suppress(OSError):
                state = path.stat()
                found.add((str(path), state.st_mtime_ns, state.st_size))
        return found


def _tables(folders: list[Path], filename: str, kind: type[P]) -> dict[str, P]:
    """Read a file with one table per preset. A user's table overrides the bundled one's keys, or adds a preset."""
    found: dict[str, dict[str, Any]] = {}
    source: dict[str, Path] = {}
    for path in (folder / filename for folder in folders):
        if not path.is_file():
            continue
        for name, table in _read(path).items():
            if not isinstance(table, dict):
                raise PresetError(
                    msg("{path}: {name} = {table!r}; write it as a table: [{name}]", path=path, name=name, table=table)
                )
            found[name] = found.get(name, {}) | table
            source[name] = path
    return {name: _check(kind, name, table, source[name]) for name, table in found.items()}


def _one_of_a_length(durations: Mapping[str, Duration]) -> dict[str, Duration]:
    """Return one duration of each length, the last one, in the first one's place: they are chosen by their seconds."""
    return {one.name: one for one in {one.seconds: one for one in durations.values()}.values()}


def _files(folders: list[Path], kind: str, schema: type[P]) -> dict[str, P]:
    """Read a folder with one file per preset. A user's file replaces the bundled one of the same name."""
    files = {path.stem: path for folder in folders for path in visible_files(folder / kind, "*.toml")}
    return {name: _check(schema, name, _read(path), path) for name, path in files.items()}


def _read(path: Path) -> dict[str, Any]:
    return _read_bundled(path) if BUNDLED in path.parents else _parse(path)


@cache
def _read_bundled(path: Path) -> dict[str, Any]:
    """Read a file that is the program's own, which stays as it is while the program runs."""
    return _parse(path)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise PresetError(msg("{file}: {why}; correct the file or delete it", file=path, why=e)) from e


def _check(kind: type[P], name: str, table: dict[str, Any], path: Path) -> P:
    try:
        return kind.model_validate(table | {"name": name})
    except ValidationError as e:
        raise PresetError(msg("{path}: {name}: {why}", path=path, name=name, why=_first_mistake(e))) from e


def _first_mistake(error: ValidationError) -> str:
    """Return key, value and reason of the first error in a preset."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{key} is missing"
    if not key:
        return first["msg"].removeprefix("Value error, ")
    return f"{key} = {first['input']!r}: {first['msg']}"


def _pick(presets: Mapping[Any, P], name: Any, what: str) -> P:
    try:
        return presets[name]
    except (KeyError, TypeError):  # TypeError: a list or a table, of a record or a request by HTTP
        raise PresetError(
            msg("{what} is {name!r}; choose one of {known}", what=what, name=name, known=", ".join(map(str, presets)))
        ) from None
