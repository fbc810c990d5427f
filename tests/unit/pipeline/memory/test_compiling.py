"""Compiling pays after a while only: when it is chosen, and what it is remembered by."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fanslymotion.errors import BadInput
from fanslymotion.pipeline.families.base import MemoryPlan, Offload, Work
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.families.svd.model_size import FULL
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import Measurements, Record
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.compiling import (
    FIRST_SECONDS,
    key,
    process_name,
    record_compiled,
    record_failure,
    record_lost,
    settle,
    suited,
)
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.progress import Stage
from fanslymotion.settings import Settings

CARD = Machine("cuda", "RTX 4090", 24 * GIB, 23 * GIB, 64 * GIB, 60 * GIB, gpu_speed=60.0, compiles=True)
PLAN = plan(CARD, replace(FULL, name="svd-xt"), Work(1024, 576, 36, 25, True))
OTHER_PROCESS = "1 1"


@pytest.fixture
def store(tmp_path: Path) -> Measurements:
    return Measurements(tmp_path)


def compiled(store: Measurements, setting: str = "auto", plan: MemoryPlan = PLAN, pids: tuple[int, ...] = ()) -> bool:
    return settle(plan, setting, store.read(), pids or (os.getpid(),)).compiled


def test_it_waits_until_as_much_was_lost_as_it_takes(store: Measurements) -> None:
    assert not compiled(store)
    record_lost(store, PLAN, 4 * FIRST_SECONDS - 8)
    assert not compiled(store)
    record_lost(store, PLAN, 40)
    assert compiled(store)
    assert not compiled(store, plan=replace(PLAN, width=848, height=480)), "of another size nothing was lost"
    assert not compiled(store, "never")


def test_what_this_process_has_compiled_it_goes_on_with_and_a_later_one_pays_less(store: Measurements) -> None:
    record_compiled(store, PLAN, 100.0)
    found = settle(PLAN, "auto", store.read(), [os.getpid()])
    assert (found.compiled, found.compiling) == (True, 0.0)

    def as_another(known) -> None:
        known.compiling[key(PLAN)].processes = [OTHER_PROCESS]

    store.change(as_another)
    record_lost(store, PLAN, 4 * 49)
    assert not compiled(store)
    record_lost(store, PLAN, 4 * 2)
    assert compiled(store)
    record_compiled(store, PLAN, 30.0)
    entry = store.read().compiling[key(PLAN)]
    assert (entry.first, entry.later, entry.lost) == (100.0, 30.0, 0.0)
    assert entry.processes == [OTHER_PROCESS, process_name()]


@pytest.mark.skipif(sys.platform != "linux", reason="psutil computes a start time from the clock on Linux alone")
def test_a_clock_that_is_set_leaves_a_process_its_name(store: Measurements, monkeypatch: pytest.MonkeyPatch) -> None:
    boot, step = psutil.boot_time(), 0.0
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + step)
    record_compiled(store, PLAN, 100.0)
    for step in (3600.0, -3600.0):
        assert compiled(store), step


def test_names_that_an_earlier_version_stored_count_as_those_of_ended_processes(store: Measurements) -> None:
    """They were the id and the Unix second of the start. One compiles again, in the time of a later process."""
    old = f"{os.getpid()} {psutil.Process().create_time():.0f}"
    record_compiled(store, PLAN, 100.0)

    def as_before(known: Record) -> None:
        known.compiling[key(PLAN)].processes = [OTHER_PROCESS, old]

    store.change(as_before)
    known = process_name() == old  # where the system's own start times never change, the name is the same
    assert settle(PLAN, "always", store.read(), [os.getpid()]).compiling == (0.0 if known else 50.0)
    record_compiled(store, PLAN, 30.0)
    entry = store.read().compiling[key(PLAN)]
    assert entry.processes[-1] == process_name()
    assert settle(PLAN, "auto", store.read(), [os.getpid()]).compiling == 0.0


def test_after_a_failure_it_is_tried_again_after_twice_the_loss(store: Measurements) -> None:
    assert compiled(store, "always")
    record_failure(store, PLAN)
    assert not compiled(store, "always")
    record_lost(store, PLAN, 4 * FIRST_SECONDS + 8)
    assert not compiled(store)
    record_lost(store, PLAN, 4 * FIRST_SECONDS + 8)
    assert compiled(store)


@pytest.mark.parametrize(
    "changes",
    [
        {"offload": Offload.MODEL},
        {"offload": Offload.GROUP},
        {"chunked": True},
        {"device": "cpu"},
        {"machine": replace(CARD, compiles=False)},
    ],
    ids=str,
)
def test_where_it_cannot_be_it_is_not(store: Measurements, changes: dict) -> None:
    other = replace(PLAN, **changes)
    assert not compiled(store, "always", other)
    assert not suited(replace(other, compiled=True)).compiled
    record_lost(store, other, 1e6)
    assert not store.read().compiling


def test_the_forecast_counts_shorter_steps_and_the_compiler() -> None:
    eager, ready = forecast(PLAN), forecast(replace(PLAN, compiled=True))
    first = forecast(replace(PLAN, compiled=True, compiling=100.0))
    assert ready.stage_seconds[Stage.SAMPLING] == pytest.approx(0.75 * eager.stage_seconds[Stage.SAMPLING])
    assert first.seconds - ready.seconds == pytest.approx(100.0)
    assert forecast(replace(PLAN, compiling=100.0)).seconds == eager.seconds


def test_what_is_compiled_together() -> None:
    low = replace(PLAN, work=replace(PLAN.work, effort=Effort(guidance_above=0.5)))
    assert key(low) != key(PLAN), "its last steps have half the batch"
    assert key(replace(low, two_pass=True)) == key(replace(PLAN, two_pass=True))
    assert process_name(2**31 - 7) == ""


def test_the_setting_goes_to_child_processes() -> None:
    found = Settings.from_env({"FANSLYMOTION_COMPILE": "never"})
    assert Settings.from_env(found.environ({})).compile == "never"
    assert Settings.from_env({}).compile == "auto"
    with pytest.raises(BadInput, match="FANSLYMOTION_COMPILE is 'often'; it must be one of auto, always, never"):
        Settings.from_env({"FANSLYMOTION_COMPILE": "often"})


@pytest.mark.parametrize(
    ("steps", "effort", "found"),
    [
        (25, Effort(), [0]),
        (25, Effort(guidance_above=0.5), [0, 20]),
        (25, Effort(full_every=2), [0, 2, 3]),
        (25, Effort(guidance_above=0.5, full_every=2), [0, 2, 3, 20, 21]),
        (3, Effort(full_every=2), [0]),
    ],
)
def test_the_steps_that_compute_everything(steps: int, effort: Effort, found: list[int]) -> None:
    assert effort.telling_steps([5.0] * min(20, steps) + [0.1] * (steps - 20)) == found
