"""The files that docs/architecture.md names exist."""

import re

from fanslymotion.settings import ROOT

PAGE = ROOT / "docs" / "architecture.md"


def test_every_place_in_the_table_exists() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| behaviour | file |")[2]
    places = re.findall(r"\| `([^`]+)` \|", table)
    assert len(places) >= 20
    assert [place for place in places if not (ROOT / place).exists()] == []
