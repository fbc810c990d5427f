"""What was measured of one kind of job tells about the others: sizes, lengths, qualities, upright and wide."""

from dataclasses import replace
from functools import cache
from itertools import pairwise, product

import pytest
from fanslymotion.pipeline.families.base import MemoryPlan, ModelSize, Work
from fanslymotion.pipeline.families.forecast import estimate, forecast, measurements, units
from fanslymotion.pipeline.families.svd.model_size import FULL, model_size
from fanslymotion.pipeline.hardware.machine import Machine, with_speeds
from fanslymotion.pipeline.hardware.measurements import Figure, Measurements
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.history import PlanHistory
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.progress import Stage
from fanslymotion.settings import ROOT, Settings
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

CPU = Machine(cores=2, ram_total=64 * GIB, ram_free=60 * GIB, cpu_bf16=True, cpu_half=True, cpu_speed=0.35)
CARD = Machine("cuda", "card", 24 * GIB, 23 * GIB, 64 * GIB, 48 * GIB, cores=8, gpu_speed=40)
MINI = replace(model_size(ROOT / "assets" / "mini", 256, 144, 14), name="mini")
XT = replace(FULL, name="svd-xt")

SHOWN = {"480p": (848, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
DRAWN = {
    "mini": dict.fromkeys(SHOWN, (256, 144)),
    "svd-xt": {"480p": (848, 480), "720p": (1024, 576), "1080p": (1024, 576)},
}
Kind = tuple[str, int, int, bool, bool]
"""Resolution, seconds, shown frames to a sampled one, upright, detail."""
KINDS: list[Kind] = list(product(SHOWN, (6, 12), (1, 2, 4), (False, True), (False, True)))


def planned(machine: Machine, model: ModelSize, kind: Kind) -> MemoryPlan:
    resolution, seconds, factor, upright, detail = kind
    width, height = DRAWN[model.name][resolution]
    if upright:
        width, height = height, width
    shown, small = SHOWN[resolution], model is MINI
    work = Work(
        width, height, 6 * seconds, 8 if small else 25, not small, 6 * seconds * factor, shown[0] * shown[1],
        period=12 if small else 0, detail=detail,
    )  # fmt: skip
    return plan(machine, model, work)


def taking(plan: MemoryPlan, factors: dict[Stage, float]) -> dict[str, Figure]:
    """Figures of a job whose stages took so many times what the formula says."""
    count, said = units(plan), estimate(plan).stage_seconds
    return measurements(plan, {stage: Figure(seconds=said[stage] * x / count[stage]) for stage, x in factors.items()})


def after(machine: Machine, model: ModelSize, jobs: list[tuple[Kind, float]]) -> Machine:
    """The machine with the figures of jobs, each so many times slower than the formula."""
    figures: dict[str, Figure] = {}
    for kind, factor in jobs:
        figures |= taking(planned(machine, model, kind), dict.fromkeys(Stage, factor))
    return replace(machine, figures=figures)


def test_a_busy_first_job_makes_the_dearer_not_the_cheaper() -> None:
    """Was 480p (measured) 29 s beside 720p (formula) 24 s."""
    busy = after(CPU, MINI, [(("480p", 6, 2, False, True), 2.5)])
    small, large = (forecast(planned(busy, MINI, (size, 6, 2, False, True))).seconds for size in ("480p", "720p"))
    by_formula = [estimate(planned(CPU, MINI, (size, 6, 2, False, True))).seconds for size in ("480p", "720p")]
    assert [small, large] == pytest.approx([2.5 * seconds for seconds in by_formula])


@pytest.mark.parametrize(("machine", "model"), [(CPU, MINI), (CARD, XT)])
@examples(max_examples=30)
@given(jobs=st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0.05, 20)), max_size=6))
def test_larger_longer_and_smoother_is_never_shown_cheaper(
    machine: Machine, model: ModelSize, jobs: list[tuple[Kind, float]]
) -> None:
    here = after(machine, model, jobs)

    @cache
    def said(*kind: object) -> float:
        return forecast(planned(here, model, kind)).seconds  # pyright: ignore[reportArgumentType]

    for seconds, factor, detail in product((6, 12), (1, 2, 4), (False, True)):
        costs = [said(size, seconds, factor, False, detail) for size in SHOWN]
        assert all(cheap <= dear * (1 + 1e-9) for cheap, dear in pairwise(costs)), (seconds, factor, detail, costs)
    for size, factor, detail in product(SHOWN, (1, 2, 4), (False, True)):
        assert said(size, 6, factor, False, detail) <= said(size, 12, factor, False, detail) * (1 + 1e-9)
    for size, seconds, detail in product(SHOWN, (6, 12), (False, True)):
        costs = [said(size, seconds, factor, False, detail) for factor in (1, 2, 4)]
        assert all(cheap <= dear * (1 + 1e-9) for cheap, dear in pairwise(costs)), (size, seconds, detail, costs)


@examples(max_examples=30)
@given(st.sampled_from(KINDS), st.floats(0.1, 10))
def test_upright_is_as_wide(kind: Kind, factor: float) -> None:
    here = after(CPU, MINI, [(kind, factor)])
    upright = (*kind[:3], not kind[3], kind[4])
    assert forecast(planned(here, MINI, upright)).stage_seconds == forecast(planned(here, MINI, kind)).stage_seconds


def test_a_measured_kind_is_said_as_measured() -> None:
    kinds = [(("480p", 6, 2, False, True), 2.0), (("720p", 12, 4, True, True), 2.5)]
    here = after(CPU, MINI, kinds)
    for kind, factor in kinds:
        for stage in (Stage.DECODING, Stage.SAVING):
            by_formula = estimate(planned(CPU, MINI, kind)).stage_seconds[stage]
            assert forecast(planned(here, MINI, kind)).stage_seconds[stage] == pytest.approx(factor * by_formula)


@pytest.mark.parametrize(("machine", "model"), [(CPU, MINI), (CARD, XT)])
def test_a_slow_job_counts_once(machine: Machine, model: ModelSize, settings: Settings) -> None:
    """Its sampling is kept as a speed of the machine, too: decoding must not be slowed down by both."""
    first = planned(machine, model, ("480p", 6, 2, False, False))
    figures, sampled = taking(first, dict.fromkeys(Stage, 3.0)), estimate(first).stage_seconds[Stage.SAMPLING]
    PlanHistory(settings).record_speed(first, 3 * sampled)
    here = with_speeds(replace(machine, figures=figures), Measurements(settings.home).read().speeds, model.large)
    for kind in KINDS:
        found = forecast(planned(here, model, kind))
        assert found.seconds == pytest.approx(3 * estimate(planned(machine, model, kind)).seconds, rel=0.01)
        assert found.measured == set(Stage)


def test_what_was_never_measured_is_told_apart() -> None:
    first = planned(CPU, MINI, ("480p", 6, 2, False, True))
    assert forecast(first).measured == set()
    only = replace(CPU, figures=taking(first, {Stage.SAMPLING: 2.0, Stage.LOADING: 2.0}))
    assert forecast(planned(only, MINI, ("720p", 12, 4, True, True))).measured == {Stage.SAMPLING, Stage.LOADING}
    other = replace(first, model=replace(MINI, name="another"), machine=replace(only, reached={"cpu": 0.1}))
    assert forecast(other).measured == {Stage.SAMPLING}, "of its class"


def test_a_loaded_model_is_not_loaded_again() -> None:
    kind = ("480p", 6, 2, False, True)
    cold = forecast(planned(CPU, MINI, kind))
    assert forecast(planned(replace(CPU, loaded="svd"), MINI, kind)).seconds == pytest.approx(cold.seconds)
    warm = forecast(planned(replace(CPU, loaded="mini"), MINI, kind))
    assert warm.stage_seconds[Stage.LOADING] == 0
    assert warm.seconds == pytest.approx(cold.seconds - cold.stage_seconds[Stage.LOADING])


def test_a_peak_does_not_depend_on_the_length() -> None:
    short, long = (planned(CARD, XT, ("720p", seconds, 2, False, True)) for seconds in (6, 12))
    figures = {key: x.model_copy(update={"peak": 7 * GIB}) for key, x in taking(short, {Stage.DECODING: 1.0}).items()}
    here = replace(CARD, figures=figures)
    peaks = [forecast(replace(plan, machine=here)).peaks[Stage.DECODING] for plan in (short, long)]
    assert peaks[0] == peaks[1] == pytest.approx(7.85 * GIB, rel=0.02)


def test_the_peak_of_another_way_of_sampling_is_not_taken() -> None:
    """In pieces it takes less: a plan without them would be chosen where it does not fit."""
    whole = planned(CARD, XT, ("720p", 6, 2, False, True))
    for other in (replace(whole, chunked=True), replace(whole, two_pass=True), replace(whole, guided=False)):
        figures = {k: x.model_copy(update={"peak": GIB}) for k, x in taking(other, {Stage.SAMPLING: 1.0}).items()}
        here = replace(CARD, figures=figures)
        assert forecast(replace(other, machine=here)).peaks[Stage.SAMPLING] < 2 * GIB
        assert forecast(replace(whole, machine=here)).peaks == forecast(whole).peaks
