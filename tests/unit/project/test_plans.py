"""The table of what the planner chooses in docs/models.md is the planner's own."""

from pathlib import Path

from fanslymotion.docs import plans
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.presets import load_presets
from fanslymotion.settings import Settings


def test_the_table_is_what_the_planner_chooses_today(tmp_path: Path) -> None:
    page = plans.PAGE.read_text(encoding="utf-8")
    presets = load_presets(Settings.local(tmp_path, tmp_path / "models"))
    assert page == plans.with_table(page, presets), "python docs/plans.py writes it anew"


def test_more_memory_never_means_less(tmp_path: Path) -> None:
    """Along a row and down a column a plan keeps as much of the model on the card, and draws as large, at least."""
    presets = load_presets(Settings.local(tmp_path, tmp_path / "models"))
    order = list(Offload)
    for name, int8 in plans.MODELS:
        found = {
            (card, ram): plans.planned(name, int8, card, ram, presets) for card in plans.CARDS for ram in plans.RAM
        }
        for (card, ram), one in found.items():
            for (more, much), other in found.items():
                if more >= card and much >= ram and forecast(one).fits:
                    assert forecast(other).fits
                    assert (order.index(other.offload), -other.width) <= (order.index(one.offload), -one.width)
