"""The files that pages and scripts name exist: a move leaves no stale path behind."""

import re
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT

PAGE = ROOT / "docs" / "architecture.md"
NAMED_TEST = re.compile(r"(?<![\w/*-])tests/[\w/.-]+\w(?<!/NAME)(?![\w/])")


def test_every_place_in_the_table_exists() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| behaviour | file |")[2]
    places = [place for row in table.splitlines() for place in re.findall(r"`([^`]+)`", row.rpartition(" | ")[2])]
    assert len(places) >= 20
    assert [place for place in places if not (ROOT / place).exists()] == []


@pytest.mark.parametrize(
    "file",
    [*ROOT.glob("docs/*.md"), *ROOT.glob("tests/windows/*.py"), *ROOT.glob("tests/*.*"), ROOT / "README.md"],
    ids=lambda path: path.name,
)
def test_every_test_that_is_named_exists(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert [place for place in NAMED_TEST.findall(text) if not (ROOT / place).exists()] == []
    known = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"(?<![\w/])test_\w+\.py", text)) - known == set()
