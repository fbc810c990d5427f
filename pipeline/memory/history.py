"""Remember plans that worked on this machine after a fallback, and measured speeds. Without torch."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from ...fs import read_patiently, write_json
from ...settings import Settings
from ..families.base import MemoryPlan, Offload
from ..families.forecast import forecast
from ..hardware.machine import device_key, speed_key
from ..progress import Stage
from .planner import plan as planned

log = logging.getLogger(__name__)


class PlanHistory:
    """What worked: `memory.json` in the data folder. If the file is lost or damaged, only estimates get worse.

    Keys are machine, model and requested size, so that a large model does not affect others.
    """

    VERSION = 2
    """1 counted a step's operations without attention, and offload without streams."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.home / "memory.json"

    def recall(self, plan: MemoryPlan, model: str) -> MemoryPlan:
        """Return the plan that worked here instead of this one, or one like it; else `plan` itself.

        A fallback is remembered with the memory that was free when it was needed. If more is free now, the full plan
        is tried again, because another program may have held the rest.
        """
        data = self._read()
        if plan.dtype == "float16" and _place(plan, model) in data.get("float32", ()):
            plan = planned(plan.machine, plan.model, plan.work, "float32")
        entry = data.get("plans", {}).get(self.key(plan, model))
        try:
            if all(getattr(plan.machine, name) > 1.1 * free for name, free in entry["short"].items()):
                return plan
            settings = dict(entry["settings"]) | {"offload": Offload(entry["settings"]["offload"])}
            kept = replace(plan, **settings)
        except (AttributeError, KeyError, TypeError, ValueError):
            return plan
        # A plan that is cheaper already (less is free than then) is kept, unless the remembered one needs less RAM.
        then, now = forecast(kept), forecast(plan)
        lower = then.need <= now.need or (then.ram < now.ram and then.need <= then.limit)
        return kept if lower or kept.device != plan.device else plan

    def remember(self, first: MemoryPlan, worked: MemoryPlan, model: str, short: Mapping[str, int]) -> None:
        """Remember the plan that worked, unless it is the first one.

        Args:
            first: the plan that the job began with.
            worked: the plan that it ended with.
            model: the model's name.
            short: bytes that were free of what ran out, by the names of `Machine` (`vram_free`, `ram_free`).
        """
        if worked.settings == first.settings:
            return
        data = self._read()
        entry = {"settings": worked.settings, "short": dict(short)}
        data.setdefault("plans", {})[self.key(first, model)] = entry
        self._write(data)

    def widen(self, plan: MemoryPlan, model: str) -> None:
        """Remember that 16-bit numbers give NaN on this GPU with this model, and forget plans that use them."""
        data, place = self._read(), _place(plan, model)
        data["float32"] = sorted({*data.get("float32", ()), place})
        data["plans"] = {key: kept for key, kept in data.get("plans", {}).items() if not key.startswith(f"{place}|")}
        self._write(data)

    def forget(self) -> None:
        """Forget everything, and start from estimates again."""
        self.path.unlink(missing_ok=True)

    @property
    def speeds(self) -> dict[str, float]:
        """Return measured speeds by device key, in 10¹² operations a second."""
        found = self._read().get("speeds", {})
        return {k: float(v) for k, v in found.items() if isinstance(v, (int, float)) and v > 0}

    def measured(self, plan: MemoryPlan, seconds: float, share: float = 1.0) -> None:
        """Store a measured speed, from which later estimates start.

        Args:
            plan: the plan.
            seconds: that `share` of its sampling took.
            share: of the sampling, 0 to 1.
        """
        expected = forecast(plan).stage_seconds[Stage.SAMPLING] * share
        if seconds <= 0 or expected <= 0:
            return
        machine = plan.machine
        guess = machine.gpu_speed if plan.device != "cpu" else machine.cpu_speed
        data = self._read()
        speeds = data.setdefault("speeds", {})
        key, now = speed_key(plan.device, machine.name, plan.model.large), guess * expected / seconds
        old = speeds.get(key)
        speeds[key] = round(now if not isinstance(old, (int, float)) else 0.5 * (old + now), 4)
        self._write(data)

    @staticmethod
    def key(plan: MemoryPlan, model: str) -> str:
        """Return the key of a plan's machine, model and size."""
        work = plan.work
        return f"{_place(plan, model)}|{work.width}x{work.height}x{plan.model.frames}"

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(read_patiently(self.path))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as e:
            log.debug("%s is not used: %s", self.path, e)
            return {}
        record = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        return record if record.get("version") == self.VERSION else {}

    def _write(self, data: dict[str, Any]) -> None:
        try:
            write_json(self.path, data | {"version": self.VERSION})
        except OSError as e:
            log.debug("%s was not written: %s", self.path, e)


def _place(plan: MemoryPlan, model: str) -> str:
    return f"{device_key(plan.machine.device, plan.machine.name)}|{model}"
