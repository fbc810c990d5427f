"""A short campaign of everything that a machine may suffer: `bench/chaos.py` is the long one."""

from pathlib import Path

import pytest
from fanslymotion.bench.chaos import Campaign, Plan
from fanslymotion.settings import Settings

pytestmark = [pytest.mark.faults, pytest.mark.both_databases, pytest.mark.timeout(900)]


def test_every_promise_is_kept(settings: Settings, tmp_path: Path) -> None:
    database = "" if settings.database.startswith("sqlite") else settings.database
    plan = Plan(seed=1, lease=8, steps=2, seconds=6, seeds=(0, 1), pause=1.5, most=3)
    report = Campaign(tmp_path / "campaign", settings.models, database, plan).run(faults=8)
    assert not report.violations, "\n\n".join(report.stories)
    assert report.figures["faults"] >= 8
    assert report.figures["  done"] > 0
