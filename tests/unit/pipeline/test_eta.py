"""Share and time left, on a clock that the test turns."""

from itertools import groupby, pairwise

import pytest
from fanslymotion.pipeline.eta import JobClock
from fanslymotion.pipeline.hardware.measurements import Figure
from fanslymotion.pipeline.progress import Stage
from hypothesis import given
from hypothesis import strategies as st

UNITS: dict[Stage, float] = {
    Stage.LOADING: 1,
    Stage.CONDITIONING: 1,
    Stage.SAMPLING: 10,
    Stage.DECODING: 20,
    Stage.SAVING: 1,
}


class Hand:
    """A clock's hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_job_at_an_even_pace() -> None:
    hand = Hand()
    known = {Stage.LOADING: 5.0, Stage.CONDITIONING: 1.0, Stage.SAMPLING: 2.0, Stage.DECODING: 0.5, Stage.SAVING: 4.0}
    clock = JobClock(UNITS, known, hand)
    assert clock.eta == pytest.approx(40)
    for stage, unit in known.items():
        clock.enter(stage)
        for i in range(int(UNITS[stage])):
            assert clock.eta == pytest.approx(40 - hand.now)
            assert clock.share == pytest.approx(hand.now / 40)
            hand.now += unit
            clock.done(i + 1)
    clock.leave()
    assert clock.share == pytest.approx(1)
    assert clock.eta == pytest.approx(0)
    assert clock.seconds == pytest.approx({stage: known[stage] * UNITS[stage] for stage in known})


def test_unknown_until_measured_and_then_from_this_job() -> None:
    hand = Hand()
    clock = JobClock(UNITS, None, hand)
    clock.enter(Stage.SAMPLING)
    assert clock.eta is None
    hand.now = 100
    clock.done(1)
    assert clock.eta is not None
    assert clock.eta > 9 * 100


def test_what_was_done_in_vain_is_time_but_no_measurement() -> None:
    hand = Hand()
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 1.0), hand)
    for stage, seconds in ((Stage.DECODING, 300.0), (Stage.SAVING, 50.0)):
        clock.enter(stage)
        hand.now += seconds
        if stage is Stage.DECODING:
            clock.done(10)
    clock.start_over({Stage.DECODING: 0.5, Stage.SAVING: 2.0})
    share = clock.share
    assert clock.eta == pytest.approx(1 + 1 + 10 + 20 * 0.5 + 2.0), "at the new pace, all of it"
    for stage, seconds in ((Stage.DECODING, 12.0), (Stage.SAVING, 3.0)):
        clock.enter(stage)
        assert clock.share >= share
        hand.now += seconds
        clock.done(UNITS[stage])
    clock.leave()
    assert clock.seconds == pytest.approx({Stage.DECODING: 312.0, Stage.SAVING: 53.0})
    found = {stage: figure.seconds for stage, figure in clock.figures().items()}
    assert found == pytest.approx({Stage.DECODING: 12.0 / 20, Stage.SAVING: 3.0})


def test_the_share_never_falls_when_steps_slow_down() -> None:
    hand, shares = Hand(), []
    clock = JobClock(UNITS, {Stage.SAMPLING: 0.1}, hand)
    clock.enter(Stage.SAMPLING)
    for i in range(10):
        hand.now += 0.1 if i < 3 else 50
        shares.append(clock.share)
        clock.done(i + 1)
        shares.append(clock.share)
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_a_resumed_stage_counts_only_its_own_time() -> None:
    hand = Hand()
    clock = JobClock(UNITS, None, hand)
    clock.enter(Stage.SAMPLING, done=8)
    hand.now += 3
    clock.done(9)
    assert clock.rates[Stage.SAMPLING] == pytest.approx(3)
    clock.done(9)
    hand.now += 3
    clock.done(10)
    assert clock.rates[Stage.SAMPLING] == pytest.approx(3)


def test_figures_are_of_what_this_job_did_itself() -> None:
    hand, peaks = Hand(), iter([0, 70, 0, 90, 0, 50])
    clock = JobClock(UNITS, None, hand, lambda: next(peaks))
    clock.skip(Stage.LOADING)
    clock.enter(Stage.CONDITIONING)
    hand.now += 4
    clock.enter(Stage.SAMPLING, done=6)
    hand.now += 8
    clock.done(10)
    clock.enter(Stage.DECODING, done=10)
    hand.now += 5
    clock.leave()
    assert clock.figures() == {
        Stage.CONDITIONING: Figure(seconds=4, peak=70),
        Stage.DECODING: Figure(seconds=0.5, peak=50),
    }, "four steps of ten are too few"


def test_a_share_that_has_not_grown_but_for_rounding_is_no_progress() -> None:
    hand = Hand()
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 1.0), hand)
    clock.enter(Stage.SAVING, together=0.1)
    hand.now += 1
    clock.done(0.3)
    hand.now += 1
    clock.done(0.1 + 0.2)
    assert clock.rates[Stage.SAVING] == pytest.approx(1 / 0.3)
    assert clock.eta is not None
    assert clock.eta < 100


def test_no_time_left_is_said_while_a_long_stage_was_never_measured() -> None:
    hand = Hand()
    known = {Stage.LOADING: 5.0, Stage.CONDITIONING: 1.0, Stage.SAMPLING: 2.0, Stage.DECODING: 1.0, Stage.SAVING: 1.0}
    clock = JobClock(UNITS, known, hand, measured={Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING})
    clock.skip(Stage.LOADING)
    clock.skip(Stage.CONDITIONING)
    clock.enter(Stage.SAMPLING)
    assert clock.eta is None, "20 s of decoding are a formula's"
    clock.enter(Stage.DECODING, together=5)
    hand.now += 4
    assert clock.eta is None
    clock.done(5)
    assert clock.eta == pytest.approx(15 * 0.8 + 1), "this job has shown its pace; saving is small"


def test_a_unit_that_takes_far_longer_than_forecast_says_no_time_left() -> None:
    hand = Hand()
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 4.0), hand)
    clock.enter(Stage.SAVING)
    hand.now += 5
    assert clock.eta is not None
    hand.now += 10
    assert clock.eta is None


def test_a_job_whose_model_is_loaded_begins_at_nought() -> None:
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 4.0), Hand())
    clock.skip(Stage.LOADING)
    clock.enter(Stage.CONDITIONING)
    assert clock.share == 0
    assert clock.eta == pytest.approx(4 * (1 + 10 + 20 + 1))


def test_a_resumed_job_begins_where_it_was() -> None:
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 1.0), Hand())
    clock.skip(Stage.LOADING)
    clock.skip(Stage.CONDITIONING)
    clock.enter(Stage.SAMPLING, done=5)
    assert clock.share == pytest.approx(5 / 31)


def test_frames_that_come_together_move_the_bar_before_they_come() -> None:
    hand = Hand()
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 1.0), hand)
    for stage in (Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING):
        clock.skip(stage)
    clock.enter(Stage.DECODING, together=10)
    shares = []
    for _ in range(10):
        hand.now += 1
        shares.append(clock.share)
    clock.done(10)
    assert clock.share == pytest.approx(10 / 21)
    assert all(later - earlier > 0.2 / 21 for earlier, later in pairwise(shares))
    clock.done(15, more=True)
    hand.now += 10
    clock.done(20)
    assert clock.rates[Stage.DECODING] == pytest.approx(1)


def test_after_a_first_few_the_next_ones_are_as_many_as_said() -> None:
    """Of ten frames three were through: the ten that come next are expected to take ten frames' time."""
    hand = Hand()
    clock = JobClock(UNITS, dict.fromkeys(UNITS, 1.0), hand)
    clock.enter(Stage.DECODING, together=10)
    hand.now += 3
    clock.done(3, together=10)
    assert clock.extrapolation.unit == pytest.approx(10)
    hand.now += 5
    clock.done(8, more=True)
    assert clock.share == pytest.approx(8 / sum(UNITS.values()))


def test_where_one_device_computes_all_a_slow_sampling_slows_down_what_is_left() -> None:
    for shared, eta in ((False, 20 + 1), (True, 3 * (20 + 1))):
        hand = Hand()
        clock = JobClock(UNITS, dict.fromkeys(UNITS, 1.0), hand, shared=shared)
        clock.enter(Stage.SAMPLING)
        hand.now += 30
        clock.done(10)
        clock.skip(Stage.LOADING)
        clock.skip(Stage.CONDITIONING)
        assert clock.eta == pytest.approx(eta)


FORECAST = {Stage.LOADING: 6.0, Stage.CONDITIONING: 0.5, Stage.SAMPLING: 0.8, Stage.DECODING: 0.4, Stage.SAVING: 2.0}
LOOKS = 100
"""How often the page looks in a job, at an even pace."""


def looked_at(factors: dict[Stage, float], together: int, shared: bool) -> list[float]:
    """The shares that are seen of a job whose stages take so many times their forecast."""
    hand, shares, entered = Hand(), [0.0], None
    clock = JobClock(UNITS, FORECAST, hand, shared=shared)
    size = dict.fromkeys(UNITS, 1.0) | {Stage.DECODING: together, Stage.SAVING: 0.1}
    ends: list[tuple[float, Stage, float]] = []
    """(seconds, stage, units of it done then)"""
    for stage, seconds in FORECAST.items():
        done = 0.0
        while UNITS[stage] - done > 1e-9:
            step = min(size[stage], UNITS[stage] - done)
            done += step
            ends.append((seconds * factors[stage] * step, stage, done))
    look = sum(seconds for seconds, _, _ in ends) / LOOKS
    for seconds, stage, done in ends:
        if stage is not entered:
            clock.enter(stage, together=size[stage])
            entered = stage
        end = hand.now + seconds
        while (at := look * len(shares)) <= end:
            hand.now = at
            shares.append(clock.share)
        hand.now = end
        clock.done(done)
    clock.leave()
    assert clock.share == 1
    return shares


def longest_stand(shares: list[float]) -> int:
    """Looks in a row that show the same per cent."""
    return max(len(list(same)) for _, same in groupby(round(100 * share) for share in shares))


@pytest.mark.parametrize("together", [1, 5, 10])
def test_the_bar_of_a_job_that_was_forecast_well_never_stands(together: int) -> None:
    shares = looked_at(dict.fromkeys(UNITS, 1.0), together, False)
    assert longest_stand(shares) <= 5
    assert max(later - earlier for earlier, later in pairwise(shares)) <= 0.06


wrong = st.floats(0.5, 2.0)


@given(wrong, wrong, wrong, wrong, st.sampled_from([1, 7]), st.booleans())
def test_a_wrong_forecast_changes_the_bars_speed(
    loading: float, sampling: float, decoding: float, saving: float, together: int, shared: bool
) -> None:
    """Each stage takes half to twice its forecast: the bar neither falls, nor jumps, nor stands for long."""
    factors = dict(zip(FORECAST, (loading, 1.0, sampling, decoding, saving), strict=True))
    shares = looked_at(factors, together, shared)
    assert shares == sorted(shares)
    assert longest_stand(shares) <= 15
    assert max(later - earlier for earlier, later in pairwise(shares)) <= 0.1
