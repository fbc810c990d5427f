"""Which tests run first, which may run apart from their file's others, and which are fast: by an earlier run's seconds.

`bash tests/run.sh --record` writes seconds.json: of each test file, setup and teardown included, side by side with the
others. A file that is not in it yet counts as light.
"""

import json
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.imports import loads_torch

PATH = ROOT / "tests" / "seconds.json"
SECONDS: dict[str, int] = json.loads(PATH.read_text(encoding="utf-8"))

FAST_SECONDS = 6
"""`--fast` leaves out files that take longer, and those that load torch."""

APART = frozenset(
    {
        "tests/faults/test_chaos_parts.py",
        "tests/faults/test_damaged_list.py",
        "tests/faults/test_full_disk.py",
        "tests/faults/test_kills.py",
        "tests/faults/test_machines.py",
        "tests/faults/test_troubles.py",
    }
)
"""Long files whose tests share nothing that takes long to make: each test may run in another process."""

TOGETHER = ("tests/browser/", "tests/api/")
"""Folders whose tests share a studio, and a browser, in each process. They wait most of their time: a quarter is
computed, of the other tests' time more than half."""


def file_of(nodeid: str) -> str:
    """Return a test's file, relative to the checkout."""
    return nodeid.partition("::")[0]


def longest_first(items: list[pytest.Item]) -> None:
    """Sort by the seconds of the test's file, so that no long one is begun when the others are at their end.

    Files of TOGETHER come before all others, folder by folder: what they share is kept while one follows the other.
    """

    def place(item: pytest.Item) -> tuple[list[bool], int]:
        file = file_of(item.nodeid)
        return [not file.startswith(folder) for folder in TOGETHER], -SECONDS.get(file, 0)

    items.sort(key=place)


def is_fast(path: Path) -> bool:
    """Tell whether a file is one of `--fast`: unit tests that took few seconds and load no torch."""
    name = path.relative_to(ROOT).as_posix()
    return name.startswith("tests/unit/") and SECONDS.get(name, 0) <= FAST_SECONDS and not loads_torch(path)


def next_unit(units: Collection[str], process: int) -> str:
    """Choose what a process runs next: the first unit of its kind, or of the other kind when that is used up.

    Even processes begin with TOGETHER, odd ones with all else, so that some wait while others compute. If all began
    with TOGETHER, half of the processors would be idle meanwhile.

    Args:
        units: What has not begun yet, in the order of `longest_first`. At least one.
        process: Its number, from 0.
    """
    shares = process % 2 == 0
    return next((unit for unit in units if unit.startswith(TOGETHER) == shares), next(iter(units)))


def scheduler(config: pytest.Config, log: Any) -> Any:
    """Return xdist's scheduler with a file as the unit of work, or a single test of APART."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = file_of(nodeid)
            return nodeid if file in APART else file

        def _assign_work_unit(self, node: Any) -> None:
            unit = next_unit(self.workqueue, int(node.gateway.id.removeprefix("gw")))
            self.workqueue.move_to_end(unit, last=False)
            super()._assign_work_unit(node)

    return Units(config, log)


class Record:
    """A plugin of the process that hears of all tests: adds up their seconds and writes seconds.json."""

    def __init__(self) -> None:
        self.took: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.took[file_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Files that did not run keep their seconds; those that are gone are forgotten."""
        seconds = {file: round(took) for file, took in (SECONDS | self.took).items() if (ROOT / file).is_file()}
        text = json.dumps({file: seconds[file] for file in sorted(seconds) if seconds[file] > 0}, indent=2)
        PATH.write_text(text + "\n", encoding="utf-8")
