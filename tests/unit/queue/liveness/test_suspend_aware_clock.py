"""Sleep is not waiting."""

from fanslymotion.queue.liveness.suspend_aware_clock import LONGEST, SuspendAwareClock


def test_it_counts_what_was_looked_at_and_not_the_sleep_between() -> None:
    times = iter([100.0, 101.0, 103.5, 103.5 + 8 * 3600, 8 * 3600 + 105.0])
    clock = SuspendAwareClock(lambda: next(times))
    assert [clock.look() for _ in range(4)] == [1.0, 3.5, 3.5 + LONGEST, 5.0 + LONGEST]
