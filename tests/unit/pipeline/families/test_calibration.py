"""Measured points correct what a formula says, and never make the dearer the cheaper."""

import pytest
from fanslymotion.pipeline.families.costs.calibration import Point, corrected, rising, weighted
from hypothesis import given
from hypothesis import strategies as st

seconds = st.floats(0.01, 1e5)
points = st.lists(st.builds(Point, seconds, seconds, st.floats(1e-3, 1.0)), min_size=1, max_size=8)


def test_one_point_scales_everything() -> None:
    assert [corrected(x, [Point(10, 30)]) for x in (1, 10, 50)] == pytest.approx([3, 30, 150])


def test_points_that_agree_are_met_exactly_and_what_lies_between_is_between_them() -> None:
    found = [Point(40, 60), Point(10, 30)]
    assert [corrected(x, found) for x in (5, 10, 25, 40, 80)] == pytest.approx([15, 30, 45, 60, 120])


def test_points_that_contradict_each_other_take_their_mean_and_the_newest_counts_most() -> None:
    found = weighted([(10, 40), (20, 25)])
    assert [point.weight for point in found] == [0.5, 1.0]
    assert {corrected(x, found) for x in (10, 15, 20)} == {30}


def test_two_kinds_of_the_same_formula_take_their_mean() -> None:
    assert rising([Point(10, 20), Point(10, 40)]) == [Point(10, 30)]


@given(points, seconds, seconds)
def test_what_the_formula_calls_dearer_is_never_cheaper(found: list[Point], one: float, other: float) -> None:
    cheap, dear = sorted((one, other))
    assert corrected(cheap, found) <= corrected(dear, found) * (1 + 1e-9)


@given(points)
def test_no_correction_leaves_what_was_measured(found: list[Point]) -> None:
    taken = [point.taken for point in found]
    for point in found:
        assert min(taken) * (1 - 1e-9) <= corrected(point.expected, found) <= max(taken) * (1 + 1e-9)
