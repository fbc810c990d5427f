"""Store this machine's measurements: seconds and bytes of each stage, speeds, plans that worked. Without torch.

All in one file, `measurements.json` in the data folder, which the form's estimate, the time left and the memory planner
read. If it is lost or damaged, only estimates get worse.
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
    """The measurement of one stage.

    Attributes:
        seconds: Of the stage; while sampling, of one unit (`families.forecast.units`).
        peak: Peak of allocated bytes on the GPU; 0 = not measured, as on a CPU.
        expected: Seconds by the family's formula for the same work; 0 = unknown.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float = Field(gt=0, allow_inf_nan=False)
    peak: int = Field(default=0, ge=0)
    expected: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    def joined(self, later: "Figure") -> "Figure":
        """Combine two measurements: the mean of the seconds, and the later peak or the mean peak, whichever is higher.

        `expected` is the later one's, because the formula may have changed in between.
        """
        seconds = self.seconds + NEWEST * (later.seconds - self.seconds)
        peak = self.peak + NEWEST * (later.peak - self.peak)
        return Figure(seconds=seconds, peak=max(later.peak, int(peak)), expected=later.expected)


class Compiling(BaseModel):
    """What compiling a model for one size takes on this machine, and what videos lost without it.

    Attributes:
        lost: Seconds lost since the last time it was compiled.
        first: Seconds of compiling without stored kernels; 0 = not measured.
        later: Seconds of compiling in a later process; 0 = not measured.
        failures: Number of failures.
        processes: Processes that have compiled it (`memory.compiling.process_name`), the newest last.
    """

    lost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    first: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    later: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    failures: int = Field(default=0, ge=0)
    processes: list[str] = []


class KnownPlan(BaseModel):
    """A plan that worked after a fallback.

    Attributes:
        settings: `MemoryPlan.settings`.
        short: Free bytes when memory ran out, by the field of `Machine` that ran out.
    """

    settings: dict[str, Any]
    short: dict[str, int]


class Record(BaseModel):
    """Content of the file.

    Attributes:
        version: Of its layout.
        figures: By `families.forecast.figure_key`.
        speeds: 10¹² operations per second, by `hardware.machine.speed_key`.
        plans: By `memory.history.PlanHistory.key`.
        float32: Devices and models for which 16-bit numbers give NaN.
        compiling: By `memory.compiling.key`.
    """

    version: int = 1
    figures: dict[str, Figure] = {}
    speeds: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    plans: dict[str, KnownPlan] = {}
    float32: list[str] = []
    compiling: dict[str, Compiling] = {}

    def add_figure(self, key: str, figure: Figure) -> None:
        """Add a measurement; see `Figure.joined`."""
        old = self.figures.pop(key, None)
        self.figures[key] = figure if old is None else old.joined(figure)

    def add_speed(self, key: str, speed: float) -> None:
        """Add a measured speed, 10¹² operations per second."""
        old = self.speeds.pop(key, speed)
        self.speeds[key] = round(old + NEWEST * (speed - old), 4)

    def add_plan(self, key: str, plan: KnownPlan) -> None:
        """Store a plan in place of an older one."""
        self.plans.pop(key, None)
        self.plans[key] = plan

    def compiled(self, key: str) -> Compiling:
        """Return the mutable entry of a key, and mark it as the newest."""
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
        """Read the record; empty if there is no file, it is damaged, or a newer version wrote it."""
        try:
            return self._read() or Record()
        except (OSError, ValueError) as e:
            log.debug("%s is not used: %s", self.path, e)
            return Record()

    def change(self, act: Callable[[Record], object]) -> None:
        """Change the record under a lock. A failure only costs an estimate, so it is logged at debug level.

        Args:
            act: Called with the record, which it changes.
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
    """Return the key under which an earlier version stored a figure."""
    return f"former|{kind}|{stage}"


def former_record(home: Path) -> Record:
    """Read the two files of earlier versions, without damaged entries.

    Only the times of steps are used: those of decoding did not distinguish sizes of finished videos.
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
    """Add the valid entries of one field to the record."""
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
