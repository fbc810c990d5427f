"""Update the table of what the planner chooses, by card, RAM and model, in docs/models.md. Computed, not measured.

.venv/bin/python docs/plans.py
"""

from collections.abc import Iterator
from pathlib import Path

from fanslymotion.pipeline.families.base import MemoryPlan, ModelFolder, Offload
from fanslymotion.pipeline.families.forecast import forecast
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.memory.planner import plan
from fanslymotion.pipeline.memory.request_plan import size_of, work_of
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets, load_presets
from fanslymotion.settings import ROOT, Settings

PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- plans: docs/plans.py writes this table -->", "<!-- /plans -->"

MODELS = (
    ("svd-xt", False),
    ("ltx-2b", False),
    ("ltx-13b", False),
    ("ltx-13b", True),
    ("wan-5b", False),
    ("wan-14b-fast", False),
    ("wan-14b-fast", True),
)
"""Each with its weights as they are, or in 8 bits."""

CARDS, RAM = (6, 8, 12, 16, 24), (16, 32, 64)
"""GB of the card, and of the machine."""

FREE = 0.92
"""Share of a card's memory that a screen and a browser leave."""

TAKEN = 4 * GIB
"""Bytes of the machine's memory that the system and a browser take."""

PHOTO = (1600, 900)

TOO_LITTLE = "–"

WEIGHTS = {
    Offload.NONE: "**whole**",
    Offload.MODEL: "part by part",
    Offload.GROUP: "block by block",
    Offload.SEQUENTIAL: "layer by layer",
}


def table(presets: Presets) -> str:
    """Return the table as Markdown: a row for each model and each amount of RAM that changes something."""
    head = f"| model | RAM | {' | '.join(f'{card} GB card' for card in CARDS)} |"
    rows = [row for name, int8 in MODELS for row in _rows(name, int8, presets)]
    return "\n".join([BEGIN, head, "|---|---|" + "---|" * len(CARDS), *rows, END])


def with_table(page: str, presets: Presets) -> str:
    """Return the page with today's table."""
    before, rest = page.split(BEGIN)
    return before + table(presets) + rest.split(END)[1]


def _rows(name: str, int8: bool, presets: Presets) -> Iterator[str]:
    """Yield a model's rows. RAM that gives the same plans as less of it has none; nor has RAM that is too little."""
    before = [TOO_LITTLE] * len(CARDS)
    for ram in RAM:
        cells = [said(planned(name, int8, card, ram, presets)) for card in CARDS]
        if cells != before:
            yield f"| `{name}`{', 8-bit' if int8 else ''} | {ram} GB | {' | '.join(cells)} |"
        before = cells


def planned(name: str, int8: bool, card: int, ram: int, presets: Presets) -> MemoryPlan:
    """Plan six seconds at 720p. card, ram: GB."""
    model = ModelFolder(presets.model(name), Path("absent"), int8=int8)  # full size
    request = VideoRequest(resolution="720p", seconds=6, quality="standard", model=name, int8=int8)
    machine = Machine(
        device="cuda",
        name=f"{card} GB",
        vram_total=card * GIB,
        vram_free=int(card * GIB * FREE),
        ram_total=ram * GIB,
        ram_free=ram * GIB - TAKEN,
        gpu_speed=20.0,
        cores=8,
    )
    return plan(machine, size_of(model), work_of(request, PHOTO, model, presets))


def said(chosen: MemoryPlan) -> str:
    """Say a plan in a few words."""
    if not forecast(chosen).fits:
        return TOO_LITTLE
    words = WEIGHTS[chosen.offload] if chosen.device != "cpu" else "on the processor"
    asked = (chosen.work.width, chosen.work.height)
    smaller = f", {chosen.width}×{chosen.height}" if (chosen.width, chosen.height) != asked else ""
    unguided = ", without guidance" if chosen.work.guided and not chosen.guided else ""
    turned = ", in turn" if chosen.in_turn else ""
    return words + turned + smaller + unguided


if __name__ == "__main__":
    found = load_presets(Settings.from_env())
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
