"""Recall plans that worked on this machine after a fallback, and measured speeds. Without torch."""

from collections.abc import Mapping
from dataclasses import replace

from ...settings import Settings
from ..families import DEFAULT
from ..families.base import MemoryPlan, Offload
from ..families.forecast import estimate, forecast
from ..hardware.machine import device_key, speed_key
from ..hardware.measurements import KnownPlan, Measurements, Record
from ..progress import Stage
from .planner import plan as planned


class PlanHistory:
    """Plans that worked on this machine, in its `Measurements`.

    Keys consist of machine, model and requested size, so that a large model does not affect others.
    """

    def __init__(self, settings: Settings) -> None:
        self._store = Measurements(settings.home)

    def recall(self, plan: MemoryPlan, model: str) -> MemoryPlan:
        """Return the plan that worked here in place of this one, or one like it; else `plan` itself.

        A fallback is stored with the memory that was free when it was needed. If more is free now, the full plan is
        tried again, because another program may have held the rest.
        """
        known = self._store.read()
        if plan.device != "cpu" and plan.dtype != "float32" and _place(plan, model) in known.float32:
            plan = planned(plan.machine, plan.model, plan.work, "float32")
        entry = known.plans.get(self.key(plan, model))
        if entry is None:
            return plan
        try:
            if all(getattr(plan.machine, name) > 1.1 * free for name, free in entry.short.items()):
                return plan
            kept = replace(plan, **(entry.settings | {"offload": Offload(entry.settings["offload"])}))
        except (AttributeError, KeyError, TypeError, ValueError):
            return plan
        # A plan that is cheaper already (less is free than then) is kept, unless the remembered one needs less RAM.
        then, now = forecast(kept), forecast(plan)
        lower = then.need <= now.need or (then.ram < now.ram and then.need <= then.limit)
        return kept if lower or kept.device != plan.device else plan

    def remember(self, first: MemoryPlan, worked: MemoryPlan, model: str, short: Mapping[str, int]) -> None:
        """Store the plan that worked, unless it is the first one.

        Args:
            first: Plan that the job began with.
            worked: Plan that it ended with.
            model: The model's name.
            short: Free bytes when memory ran out, by field of `Machine` (`vram_free`, `ram_free`).
        """
        if worked.settings == first.settings:
            return
        entry = KnownPlan(settings=worked.settings, short=dict(short))
        self._store.change(lambda known: known.add_plan(self.key(first, model), entry))

    def remember_float32(self, plan: MemoryPlan, model: str) -> None:
        """Record that 16-bit numbers give NaN on this GPU with this model, and drop plans that use them."""
        place = _place(plan, model)

        def act(known: Record) -> None:
            known.float32 = sorted({*known.float32, place})
            known.plans = {key: kept for key, kept in known.plans.items() if not key.startswith(f"{place}|")}

        self._store.change(act)

    def record_speed(self, plan: MemoryPlan, seconds: float, share: float = 1.0) -> None:
        """Store a measured speed, from which later estimates start. Only for the default family.

        Args:
            plan: The plan.
            seconds: Time that `share` of its sampling took.
            share: Share of the sampling, 0 to 1.
        """
        if plan.model.family != DEFAULT:
            return
        expected = estimate(plan).stage_seconds[Stage.SAMPLING] * share
        if seconds <= 0 or expected <= 0:
            return
        machine = plan.machine
        guess = machine.gpu_speed if plan.device != "cpu" else machine.cpu_speed
        speed = guess * expected / seconds
        if speed > 0:
            key = speed_key(plan.device, machine.name, plan.model.large, machine.host)
            self._store.change(lambda known: known.add_speed(key, speed))

    @staticmethod
    def key(plan: MemoryPlan, model: str) -> str:
        """Return the key of a plan's machine, model and size."""
        work = plan.work
        return f"{_place(plan, model)}|{work.width}x{work.height}x{plan.model.frames}"


def _place(plan: MemoryPlan, model: str) -> str:
    return f"{device_key(plan.machine.device, plan.machine.name, plan.machine.host)}|{model}"
