"""The arithmetic of bench/times.py."""

from dataclasses import replace

from fanslymotion.bench.times import SEQUENCE, Row, longest_stand, stage_seconds, summary

ROW = Row(0, SEQUENCE[0], True, 10.0, 10.0, 0.01, "50% sampling", 1.0, 0.0, {}, {}, [])


def test_the_longest_stand_is_between_two_changes_or_at_the_end() -> None:
    assert longest_stand([(0, "0%"), (1, "0%"), (4, "1%"), (5, "2%"), (6, "2%")]) == (4, "0%")
    assert longest_stand([(0, "0%"), (1, "1%"), (9, "1%")]) == (8, "1%")
    assert longest_stand([(0, "0%"), (3, "0%")]) == (3, "0%")


def test_seconds_by_stage() -> None:
    assert stage_seconds([(0, "a"), (2, "b"), (3, "a"), (5, "a")]) == {"a": 4, "b": 1}


def test_first_and_later_ones_are_counted_apart() -> None:
    rows = [ROW, replace(ROW, took=15.0), replace(ROW, first=False, took=11.0), replace(ROW, first=False, stand=0.2)]
    said = summary(rows).splitlines()
    assert said[0].startswith("the first job of all: 1 of 1 within ±35%")
    assert said[1].startswith("first of a kind: 0 of 1 within ±35%, median 50%")
    assert said[2].startswith("later ones: 2 of 2 within ±15%")
    assert said[3] == "the bar: 3 of 4 stand for at most 5 %, most 20%"


def test_the_sequence_has_thirty_jobs_of_all_kinds() -> None:
    assert len(SEQUENCE) == 30
    for n, values in enumerate(
        [{"480p", "720p", "1080p"}, {6, 12}, {"sampled", "standard", "smooth"}, {"wide", "upright"}, {True, False}]
    ):
        assert {kind[n] for kind in SEQUENCE} == values
    assert len(set(SEQUENCE)) < len(SEQUENCE) / 2 + 1, "each kind comes again"
