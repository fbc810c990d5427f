"""What was measured on this machine: kept in one file, and the same to the form, the time left and the planner."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.models.find import find_model
from fanslymotion.pipeline.eta import JobClock
from fanslymotion.pipeline.families.base import Offload, Work
from fanslymotion.pipeline.families.forecast import estimate, figure_key, forecast, pace, peak, units
from fanslymotion.pipeline.families.svd.model_size import FULL
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.measurements import (
    DAMAGED_NAME,
    MOST_FIGURES,
    NAME,
    Figure,
    KnownPlan,
    Measurements,
    Record,
)
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.settings import Settings
from fanslymotion.ui.serializers import plan_json

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB)
CARD = Machine("cuda", "card", 24 * GIB, 20 * GIB, 64 * GIB, 48 * GIB, gpu_speed=20)
XT = replace(FULL, name="svd-xt")
WORK = Work(1024, 576, 36, 25, True, 72, 1280 * 720)


@pytest.fixture
def store(tmp_path: Path) -> Measurements:
    return Measurements(tmp_path)


def add(store: Measurements, key: str, figure: Figure) -> None:
    store.change(lambda known: known.add_figure(key, figure))


class Still:
    """A clock that stands."""

    def __call__(self) -> float:
        return 0.0


def test_form_time_left_and_planner_say_the_same(
    run: Callable, fast: VideoRequest, settings: Settings, presets: Presets
) -> None:
    fast = replace(fast, seconds=1)

    def ask() -> Any:
        model = find_model(fast.model, presets, settings)
        return plan_request(fast, (320, 180), model, presets, settings, machine=CPU)

    before = ask()
    assert forecast(before) == estimate(before), "nothing is known yet"
    result = run(fast, model_cache=ModelCache(), machine=CPU)

    after = ask()
    took = {Stage(stage): seconds for stage, seconds in result.stage_seconds.items()}
    assert took.keys() == set(Stage)
    assert forecast(after).stage_seconds == pytest.approx(took), "the planner forecasts what was measured"
    assert plan_json(after)["seconds"] == pytest.approx(sum(took.values())), "and so does the form"
    clock = JobClock(units(after), pace(after), Still())
    clock.enter(Stage.LOADING)
    assert clock.eta == pytest.approx(plan_json(after)["seconds"]), "and the time left"

    told: list[Progress] = []
    run(fast, model_cache=ModelCache(), machine=CPU, progress=told.append, work=settings.home / "second")
    assert told[0].eta_seconds is not None
    whole = forecast(after).seconds
    assert whole - took[Stage.LOADING] < told[0].eta_seconds <= whole


def test_a_speed_measured_at_one_size_serves_the_others(
    run: Callable, fast: VideoRequest, settings: Settings, presets: Presets
) -> None:
    run(fast, machine=CPU)
    other = replace(fast, seconds=6)
    model = find_model(fast.model, presets, settings)
    wider = plan_request(replace(other, resolution="480p"), (320, 180), model, presets, settings, machine=None)
    speed = next(iter(Measurements(settings.home).read().speeds.values()))
    assert wider.machine.reached == {"cpu": speed}
    unmeasured = replace(wider, machine=replace(wider.machine, figures={}))
    said, by_formula = forecast(unmeasured).stage_seconds, estimate(wider).stage_seconds
    for stage in (Stage.SAMPLING, Stage.DECODING):
        assert said[stage] == pytest.approx(by_formula[stage] * wider.machine.cpu_speed / speed)


def test_a_step_has_one_pace_whatever_the_length(
    run: Callable, fast: VideoRequest, settings: Settings, presets: Presets
) -> None:
    run(fast, machine=CPU)
    model = find_model(fast.model, presets, settings)
    short, long = (
        plan_request(replace(fast, seconds=seconds), (320, 180), model, presets, settings, machine=CPU)
        for seconds in (4, 12)
    )
    assert pace(short)[Stage.SAMPLING] == pytest.approx(pace(long)[Stage.SAMPLING])
    assert units(long)[Stage.SAMPLING] > units(short)[Stage.SAMPLING]


def known(peaks: dict[Stage, int], **changes: Any) -> Machine:
    """The card, with what was allocated at each stage of its first plan."""
    first = plan(CARD, XT, WORK)
    figures = {figure_key(first, stage): Figure(seconds=1, peak=bytes) for stage, bytes in peaks.items()}
    return replace(CARD, figures=figures, **changes)


def test_a_plan_that_took_more_than_there_is_is_not_chosen() -> None:
    first = plan(CARD, XT, WORK)
    assert (first.offload, first.two_pass) == (Offload.NONE, False)
    cheaper = plan(known({Stage.SAMPLING: 22 * GIB}), XT, WORK)
    assert cheaper.two_pass
    assert forecast(cheaper).fits


def test_a_plan_that_took_less_than_was_thought_is_chosen() -> None:
    assert plan(replace(CARD, vram_free=10 * GIB), XT, WORK).two_pass
    measured = dict.fromkeys((Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING), 7 * GIB)
    again = plan(known(measured, vram_free=10 * GIB), XT, WORK)
    assert (again.two_pass, again.chunked) == (False, False)
    assert 7 * GIB < peak(again, Stage.SAMPLING) == forecast(again).peaks[Stage.SAMPLING] < 9 * GIB


def test_what_decides_a_stage_is_in_its_key() -> None:
    first = plan(CARD, XT, WORK)
    other = {"two_pass": True, "chunked": True, "width": 512, "offload": Offload.GROUP, "dtype": "float32"}
    for name, value in other.items():
        assert figure_key(replace(first, **{name: value}), Stage.SAMPLING) != figure_key(first, Stage.SAMPLING), name
    larger = replace(first, work=replace(WORK, shown_pixels=1920 * 1080))
    assert figure_key(larger, Stage.SAMPLING) == figure_key(first, Stage.SAMPLING)
    assert figure_key(larger, Stage.DECODING) != figure_key(first, Stage.DECODING)


def test_seconds_are_a_mean_and_a_peak_falls_slowly(store: Measurements) -> None:
    found = []
    for seconds, bytes in ((4.0, 50), (2.0, 90), (2.0, 10)):
        add(store, "a", Figure(seconds=seconds, peak=bytes))
        found.append(store.read().figures["a"])
    assert found == [Figure(seconds=4, peak=50), Figure(seconds=3, peak=90), Figure(seconds=2.5, peak=50)]


def test_the_file_stays_small(store: Measurements) -> None:
    def many(record: Record) -> None:
        for n in range(MOST_FIGURES + 10):
            record.add_figure(str(n), Figure(seconds=1))
        record.add_figure("0", Figure(seconds=1))

    store.change(many)
    kept = list(store.read().figures)
    assert len(kept) == MOST_FIGURES
    assert kept[-1] == "0", "used again, it is among the newest"
    assert "10" not in kept


WRITER = """
import sys
from pathlib import Path
from fanslymotion.pipeline.hardware.measurements import Figure, Measurements
store = Measurements(Path(sys.argv[1]))
for n in range(10):
    store.change(lambda known: known.add_figure(f"{sys.argv[2]} {n}", Figure(seconds=1 + n)))
"""


def test_processes_that_write_at_once_lose_nothing(store: Measurements, tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(n)]) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert store.read().figures.keys() == {f"{writer} {n}" for writer in range(3) for n in range(10)}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "\x00\xff", '{"version": "x"}', '{"version": 1, "plans": {"x": 1}}', '{"figures": {"x": {}}}',
     '{"figures": {"x": {"seconds": -1}}}', '{"speeds": {"x": NaN}}'],
)  # fmt: skip
def test_a_damaged_file_is_set_aside(store: Measurements, tmp_path: Path, text: str, caplog) -> None:
    store.path.write_text(text, encoding="utf-8")
    assert store.read() == Record()
    add(store, "a", Figure(seconds=1))
    assert store.read().figures == {"a": Figure(seconds=1)}
    assert (tmp_path / DAMAGED_NAME).read_text(encoding="utf-8") == text
    assert DAMAGED_NAME in caplog.text


def test_a_newer_versions_file_is_left_alone(store: Measurements) -> None:
    text = '{"version": 99, "figures": "of another kind"}'
    store.path.write_text(text, encoding="utf-8")
    add(store, "a", Figure(seconds=1))
    assert store.read() == Record()
    assert store.path.read_text(encoding="utf-8") == text


def test_a_folder_that_cannot_be_written_costs_an_estimate_only(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Measurements(tmp_path / "file")
    add(store, "a", Figure(seconds=1))
    assert store.read() == Record()


def test_the_files_of_earlier_versions_are_taken_over_once(store: Measurements, tmp_path: Path) -> None:
    first = plan(CARD, XT, WORK)
    times = {"svd-xt 1024x576 cuda, float16": {"sampling": 0.5, "decoding": 0.1}, "x": {"sampling": "y"}, "z": 1}
    entry = {"settings": first.settings, "short": {"vram_free": 5}}
    memory = {"version": 2, "speeds": {"here|card|large": 40.0}, "plans": {"p": entry}, "float32": ["here|card|old"]}
    (tmp_path / "times.json").write_text(json.dumps(times), encoding="utf-8")
    (tmp_path / "memory.json").write_text(json.dumps(memory), encoding="utf-8")
    found = store.read()
    assert found.speeds == {"here|card|large": 40.0}
    assert found.plans == {"p": KnownPlan.model_validate(entry)}
    assert found.float32 == ["here|card|old"]
    measured = replace(first, machine=replace(CARD, figures=found.figures))
    assert pace(measured)[Stage.SAMPLING] == pytest.approx(0.5)
    assert pace(measured)[Stage.DECODING] == pytest.approx(pace(first)[Stage.DECODING])

    add(store, figure_key(first, Stage.SAMPLING), Figure(seconds=0.7))
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [NAME]
    later = store.read()
    assert later.speeds == found.speeds
    measured = replace(first, machine=replace(CARD, figures=later.figures))
    assert pace(measured)[Stage.SAMPLING] == pytest.approx(0.7), "what is measured now comes first"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "speeds": {"x": 1}}', '{"version": 2, "speeds": 5}'])
def test_damaged_files_of_earlier_versions_are_no_loss(store: Measurements, tmp_path: Path, text: str) -> None:
    for name in ("times.json", "memory.json"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert store.read() == Record()


def test_what_a_worker_keeps_loaded_is_not_loaded_again(
    fast: VideoRequest, settings: Settings, presets: Presets
) -> None:
    model = find_model(fast.model, presets, settings)
    cold, warm, other = (
        plan_request(fast, (320, 180), model, presets, settings, machine=CPU, loaded=(name,))
        for name in ("", model.name, "another")
    )
    assert forecast(warm).seconds == pytest.approx(forecast(cold).seconds - forecast(cold).stage_seconds[Stage.LOADING])
    assert forecast(other).seconds == pytest.approx(forecast(cold).seconds)
