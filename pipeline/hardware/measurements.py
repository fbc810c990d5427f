"""Keep what was measured on this machine: seconds and bytes of each stage, speeds, plans that worked. No torch.

One file, `measurements.json` in the data folder, for the form's estimate, the time left and the memory planner. If it
is lost or damaged, only estimates get worse.
"""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...fs import make_folder, read_patiently, write_whole

log = logging.getLogger(__name__)

NAME = "measurements.json"
DAMAGED_NAME = "measurements.damaged.json"
"""Where a file that cannot be read is set aside; the newest one is kept."""

MOST_FIGURES, MOST_PLANS, MOST_SPEEDS = 500, 100, 100
"""Entries that are kept: those of the newest measurements."""

NEWEST = 0.5
"""Weight of the newest measurement in a mean."""

LOCK_SECONDS = 5.0
"""How long another process that writes is waited for, before a measurement is dropped."""

FORMER_TIMES, FORMER_PLANS, FORMER_VERSION = "times.json", "memory.json", 2
"""The two files of earlier versions, and the version of the second that is taken over."""


class Figure(BaseModel):
    """What a stage took.

    Attributes:
        seconds: of the stage; while sampling, of one of its units (`families.forecast.units`).
        peak: bytes allocated on the GPU at the stage's highest point; 0 = not measured, as on a CPU.
        expected: seconds that the family's formula says for the same; 0 = not known.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float = Field(gt=0, allow_inf_nan=False)
    peak: int = Field(default=0, ge=0)
    expected: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    def joined(self, later: "Figure") -> "Figure":
        """Return the mean of the seconds, and the later peak, or the mean of both where that is higher.

        The formula may have changed in between: what it says is the later one's.
        """
        seconds = self.seconds + NEWEST * (later.seconds - self.seconds)
        peak = self.peak + NEWEST * (later.peak - self.peak)
        return Figure(seconds=seconds, peak=max(later.peak, int(peak)), expected=later.expected)


class Compiling(BaseModel):
    """What compiling a model for one size takes on this machine, and what videos lost without it.

    Attributes:
        lost: seconds, since the last time it was compiled.
        first: seconds that compiling took while nothing of it was kept on the disk; 0 = not measured.
        later: seconds that it took in a later process; 0 = not measured.
        failures: times that it failed.
        processes: those that have compiled it (`memory.compiling.process_name`), the newest at the end.
    """

    lost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    first: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    later: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    failures: int = Field(default=0, ge=0)
    processes: list[str] = []


class KnownPlan(BaseModel):
    """A plan that worked after a fallback.

    Attributes:
        settings: as `MemoryPlan.settings`.
        short: bytes that were free of what ran out, by the names of `Machine`.
    """

    settings: dict[str, Any]
    short: dict[str, int]


class Record(BaseModel):
    """The file's content.

    Attributes:
        version: of its layout.
        figures: by `families.forecast.figure_key`.
        speeds: 10¹² operations a second, by `hardware.machine.speed_key`.
        plans: by `memory.history.PlanHistory.key`.
        float32: devices and models for which 16-bit numbers give NaN.
        compiling: by `memory.compiling.key`.
    """

    version: int = 1
    figures: dict[str, Figure] = {}
    speeds: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    plans: dict[str, KnownPlan] = {}
    float32: list[str] = []
    compiling: dict[str, Compiling] = {}

    def add_figure(self, key: str, figure: Figure) -> None:
        """Add a measurement to what is known."""
        old = self.figures.pop(key, None)
        self.figures[key] = figure if old is None else old.joined(figure)

    def add_speed(self, key: str, speed: float) -> None:
        """Add a measured speed to what is known, in 10¹² operations a second."""
        old = self.speeds.pop(key, speed)
        self.speeds[key] = round(old + NEWEST * (speed - old), 4)

    def add_plan(self, key: str, plan: KnownPlan) -> None:
        """Put a plan in place of an older one."""
        self.plans.pop(key, None)
        self.plans[key] = plan

    def compiled(self, key: str) -> Compiling:
        """Return the entry of what is compiled, to be read or changed; it counts as the newest."""
        self.compiling[key] = self.compiling.pop(key, None) or Compiling()
        return self.compiling[key]

    def trim(self) -> None:
        """Drop the oldest entries above the limits."""
        _drop_oldest(self.figures, MOST_FIGURES)
        for entries in (self.plans, self.compiling):
            _drop_oldest(entries, MOST_PLANS)
        _drop_oldest(self.speeds, MOST_SPEEDS)


VERSION = Record().version


class Measurements:
    """The measurements of a data folder. Any number of processes may read and write them."""

    def __init__(self, home: Path) -> None:
        self.path = home / NAME

    def read(self) -> Record:
        """Return what is known: nothing if there is no file, it is damaged, or a newer version wrote it."""
        try:
            return self._read() or Record()
        except (OSError, ValueError) as e:
            log.debug("%s is not used: %s", self.path, e)
            return Record()

    def change(self, act: Callable[[Record], object]) -> None:
        """Change what is known, while no other process does. A failure costs an estimate only: it is a debug line.

        Args:
            act: called with the record, which it changes.
        """
        try:
            make_folder(self.path.parent)
            with FileLock(f"{self.path}.lock", timeout=LOCK_SECONDS):
                try:
                    record = self._read()
                except ValueError as e:
                    self._set_aside(e)
                    record = Record()
                if record is None:
                    return
                act(record)
                record.trim()
                write_whole(self.path, record.model_dump_json(indent=1))
                for name in (FORMER_TIMES, FORMER_PLANS):
                    (self.path.parent / name).unlink(missing_ok=True)
        except (OSError, Timeout) as e:
            log.debug("%s was not written: %s", self.path, e)

    def _read(self) -> Record | None:
        """Return the record, or None if a newer version wrote it. Raise OSError, or ValueError if it is damaged."""
        try:
            data: Any = json.loads(read_patiently(self.path))
        except FileNotFoundError:
            return former_record(self.path.parent)
        if isinstance(data, dict):
            version = cast("dict[str, Any]", data).get("version")
            if isinstance(version, int) and version > VERSION:
                return None
        return Record.model_validate(data)

    def _set_aside(self, why: ValueError) -> None:
        kept = self.path.with_name(DAMAGED_NAME)
        os.replace(self.path, kept)
        log.warning("%s is damaged (%s) and was set aside as %s", self.path, str(why).splitlines()[0], kept.name)


def former_key(kind: str, stage: str) -> str:
    """Return the key of a figure that an earlier version measured. kind: as it named model, size and placement."""
    return f"former|{kind}|{stage}"


def former_record(home: Path) -> Record:
    """Read the two files of earlier versions; what is damaged in them is left out.

    Of the times the steps' are taken: those of decoding did not tell sizes of finished videos apart.
    """
    found = Record()
    plans = _former_json(home / FORMER_PLANS)
    if plans.get("version") == FORMER_VERSION:
        for name in ("speeds", "plans", "float32"):
            _take(found, name, plans.get(name))
    for kind, stages in _former_json(home / FORMER_TIMES).items():
        if isinstance(stages, dict) and (seconds := cast("dict[str, Any]", stages).get("sampling")):
            _take(found, "figures", {former_key(kind, "sampling"): {"seconds": seconds}})
    return found


def _take(found: Record, name: str, value: Any) -> None:
    """Add to one field of the record what is valid."""
    try:
        taken = getattr(Record.model_validate({name: value}), name)
    except ValidationError:
        return
    getattr(found, name).update(taken) if isinstance(taken, dict) else getattr(found, name).extend(taken)


def _former_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _drop_oldest(entries: dict[str, Any], most: int) -> None:
    for key in list(entries)[: max(0, len(entries) - most)]:
        del entries[key]
