"""Campaigns of everything that a machine may suffer: `bench/chaos.py` has the long ones.

With the soak tests: each fault has a test of its own in the default run.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.bench.chaos import Campaign, Plan
from fanslymotion.settings import Settings

pytestmark = [pytest.mark.soak, pytest.mark.faults, pytest.mark.timeout(900)]

SHORT = Plan(seed=1, lease=8, steps=2, seconds=6, seeds=(0, 1), pause=1.0, most=3, workers=1)


def check(folder: Path, settings: Settings, plan: Plan, faults: int) -> None:
    database = "" if settings.database.startswith("sqlite") else settings.database
    report = Campaign(folder, settings.models, database, plan).run(faults=faults)
    assert not report.violations, "\n\n".join(report.stories)
    assert report.figures["faults"] >= faults
    assert report.figures["  done"] > 0


def test_every_promise_is_kept(settings: Settings, tmp_path: Path) -> None:
    check(tmp_path / "campaign", settings, SHORT, faults=4)


@pytest.mark.both_databases
def test_every_promise_is_kept_for_longer(settings: Settings, tmp_path: Path) -> None:
    check(tmp_path / "campaign", settings, replace(SHORT, workers=2), faults=16)
