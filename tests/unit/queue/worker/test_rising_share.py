"""What the bar shows never falls, whatever the attempts count."""

import pytest
from fanslymotion.pipeline.progress import Stage
from fanslymotion.queue.worker.rising_share import RisingShare


def test_a_first_attempt_is_shown_as_it_is() -> None:
    share = RisingShare(0.0)
    moments = [(0.0, Stage.LOADING), (0.2, Stage.CONDITIONING), (0.5, Stage.SAMPLING), (1.0, Stage.SAVING)]
    assert [share.take(*moment) for moment in moments] == [0.0, 0.2, 0.5, 1.0]


def test_a_newer_checkpoint_than_what_was_shown_is_shown_as_it_is() -> None:
    share = RisingShare(0.4)
    assert [share.take(0.0, Stage.LOADING), share.take(0.6, Stage.SAMPLING)] == [0.4, 0.6]


def test_from_the_beginning_the_rest_of_the_bar_is_for_all_the_work() -> None:
    share = RisingShare(0.5)
    assert share.take(0.1, Stage.LOADING) == 0.5
    assert share.take(0.2, Stage.SAMPLING) == 0.5
    assert share.take(0.6, Stage.SAMPLING) == pytest.approx(0.75)
    assert share.take(1.0, Stage.SAVING) == pytest.approx(1.0)


def test_a_fallback_within_an_attempt_begins_anew_without_falling() -> None:
    share = RisingShare(0.0)
    assert share.take(0.6, Stage.SAMPLING) == 0.6
    assert share.take(0.0, Stage.LOADING) == 0.6
    assert share.take(0.2, Stage.SAMPLING) == 0.6
    assert share.take(0.6, Stage.DECODING) == pytest.approx(0.8)
