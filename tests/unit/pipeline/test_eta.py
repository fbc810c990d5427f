"""Share and time left, on a clock that the test turns."""

import pytest
from fanslymotion.pipeline.eta import JobClock
from fanslymotion.pipeline.hardware.measurements import Figure
from fanslymotion.pipeline.progress import Stage

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
