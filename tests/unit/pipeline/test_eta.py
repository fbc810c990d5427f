"""Share and time left, on a clock that the test turns."""

from pathlib import Path

import pytest
from fanslymotion.pipeline.eta import JobClock, load_times, store_times
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


def test_times_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    assert load_times(path, "a") == {}
    store_times(path, "a", {Stage.SAMPLING: 2.0, Stage.DECODING: 1.0})
    store_times(path, "b", {Stage.SAMPLING: 9.0})
    store_times(path, "a", {Stage.SAMPLING: 3.0})
    assert load_times(path, "a") == {Stage.SAMPLING: 3.0, Stage.DECODING: 1.0}
    assert [entry.name for entry in tmp_path.iterdir()] == ["times.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": {"nonsense": 1}}', '{"a": {"sampling": "x"}}'])
def test_a_damaged_file_is_an_empty_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    path.write_text(text, encoding="utf-8")
    assert load_times(path, "a") == {}
    store_times(path, "a", {Stage.SAMPLING: 2.0})
    assert load_times(path, "a") == {Stage.SAMPLING: 2.0}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    store_times(tmp_path / "none" / "times.json", "a", {Stage.SAMPLING: 2.0})
