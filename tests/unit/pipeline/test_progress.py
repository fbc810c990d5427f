"""A bar between two reports."""

from itertools import pairwise

import pytest
from fanslymotion.pipeline.progress import Extrapolation
from hypothesis import given
from hypothesis import strategies as st

seconds = st.floats(0.1, 1e4)


@given(seconds, seconds, st.floats(0, 0.95), st.lists(st.floats(0, 1e4), min_size=2))
def test_the_share_rises_and_the_time_left_falls(unit: float, rest: float, share: float, moments: list[float]) -> None:
    extrapolation = Extrapolation(at=0, share=share, left=unit + rest, unit=unit, spent=0, timed=True)
    moments.sort()
    shares = [extrapolation.share_at(now) for now in moments]
    left = [extrapolation.left_at(now) for now in moments]
    assert shares == sorted(shares)
    assert left == sorted(left, reverse=True)
    assert share <= shares[0]
    assert shares[-1] < 1
    assert all(x >= rest * (1 - 1e-9) for x in left), "what comes after the units in work is not begun"


def test_it_moves_as_long_as_the_unit_lasts() -> None:
    extrapolation = Extrapolation(at=0, share=0.5, left=10, unit=8, spent=0, timed=True)
    shares = [extrapolation.share_at(now) for now in range(0, 80, 8)]
    assert all(earlier < later for earlier, later in pairwise(shares))


def test_a_unit_that_ends_in_time_counts_in_full() -> None:
    extrapolation = Extrapolation(at=0, share=0.0, left=10, unit=5, spent=0, timed=True)
    assert extrapolation.share_at(5) < extrapolation.share_at(5, ended=True) == 0.5
    assert extrapolation.share_at(2, ended=True) == extrapolation.share_at(2) == pytest.approx(0.2), (
        "ended early: no jump"
    )


def test_where_nothing_is_in_work_it_stands() -> None:
    extrapolation = Extrapolation(at=0, share=0.5, left=10, unit=0, spent=0, timed=True)
    assert extrapolation.share_at(100) == 0.5
    assert extrapolation.eta_at(100) == 10
