"""For how long a value of another process has been the same."""

from fanslymotion.queue.liveness.unchanged import Unchanged


def test_a_value_is_silent_since_it_was_first_seen() -> None:
    beats = Unchanged()
    assert beats.look({"a": 1, "b": 1}, 10.0) == {"a": 0.0, "b": 0.0}
    assert beats.look({"a": 1, "b": 2}, 13.0) == {"a": 3.0, "b": 0.0}
    assert beats.look({"a": 1, "b": 2, "c": 0}, 15.0) == {"a": 5.0, "b": 2.0, "c": 0.0}


def test_an_absent_key_begins_anew() -> None:
    beats = Unchanged()
    beats.look({"a": 1}, 10.0)
    assert beats.look({}, 20.0) == {}
    assert beats.look({"a": 1}, 30.0) == {"a": 0.0}
