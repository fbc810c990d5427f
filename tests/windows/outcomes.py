"""Record what becomes of each test at once, so that a run that is killed or reaches its limit leaves what it has.

A pytest plugin, which Windows' Python loads (`-p fanslymotion.tests.windows.outcomes --outcomes FILE`), and the reader.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """Write a line of JSON for each test that begins and for each that ends.

    Args:
        path: The file, made anew.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._outcome, self._text = "", ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._write({"collected": len(session.items)})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._outcome, self._text = "", ""
        self._write({"began": nodeid})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the call's outcome, or that of a setup or teardown that failed or was skipped."""
        if report.failed:
            self._outcome = "failed" if report.when == "call" or self._outcome == "failed" else "error"
            self._text += report.longreprtext
        elif report.skipped or report.when == "call":
            self._outcome = self._outcome or report.outcome

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write({"ended": nodeid, "outcome": self._outcome, "text": self._text})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def pytest_unconfigure(self) -> None:
        self._file.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcomes", type=Path, help="write what becomes of each test into this file")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--outcomes"):
        config.pluginmanager.register(Recorder(path))


@dataclass
class Outcomes:
    """What a run has come to.

    Attributes:
        collected: Number of tests that were to run; 0 when the run ended before it knew.
        ended: Outcome by test: passed, failed, error (in setup or teardown) or skipped.
        unfinished: The test that had begun and not ended, "" when there is none.
        texts: What pytest shows of a failure, by test.
    """

    collected: int = 0
    ended: dict[str, str] = field(default_factory=dict)
    unfinished: str = ""
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        """Number of tests by outcome."""
        return Counter(self.ended.values())

    @classmethod
    def read(cls, path: Path) -> "Outcomes":
        """Read what a `Recorder` has written. A file that is not there is a run that ended before it began."""
        found = cls()
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in map(json.loads, lines):
            if "collected" in line:
                found.collected = line["collected"]
            elif "began" in line:
                found.unfinished = line["began"]
            else:
                found.unfinished = ""
                found.ended[line["ended"]] = line["outcome"]
                if line["text"]:
                    found.texts[line["ended"]] = line["text"]
        return found
