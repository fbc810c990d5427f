"""The files that pages and scripts name exist: a move leaves no stale path behind."""

import re
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT

PAGE = ROOT / "docs" / "architecture.md"
NAMED_TEST = re.compile(r"(?<![\w/*-])tests/[\w/.-]+\w(?<!/NAME)(?![\w/])")


def test_every_place_in_the_table_exists() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| behaviour | file |")[2]
    places = re.findall(r"\| `([^`]+)` \|", table)
    assert len(places) >= 20
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize(
    "file",
    [*ROOT.glob("docs/*.md"), *ROOT.glob("tests/windows/*.py"), *ROOT.glob("tests/*.*"), ROOT / "README.md"],
    ids=lambda path: path.name,
)
def test_every_test_that_is_named_exists(file: Path) -> None:
    places = NAMED_TEST.findall(file.read_text(encoding="utf-8"))
    assert [place for place in places if not (ROOT / place).exists()] == []
