"""What the run inside wine leaves when it is cut short (tests/windows/outcomes.py)."""

import subprocess
import sys
from pathlib import Path

import pytest
from fanslymotion.tests.windows.outcomes import Outcomes

TESTS = """
import os
import pytest

@pytest.fixture
def broken():
    raise OSError("no disk")

@pytest.fixture
def untidy():
    yield
    raise OSError("left behind")

def test_good(): pass
def test_bad(): assert "тест" == "test"
@pytest.mark.skip
def test_left_out(): pass
def test_leaves_itself_out(): pytest.skip("later")
def test_never_begins(broken): pass
def test_good_but_untidy(untidy): pass
def test_that_ends_all(): os._exit(7)
def test_never_reached(): pass
"""


def run(folder: Path, tests: str) -> tuple[int, Outcomes]:
    (folder / "test_it.py").write_text(tests, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    words = ("-p", "fanslymotion.tests.windows.outcomes", "--outcomes", "outcomes.jsonl")
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=folder, capture_output=True)
    return done.returncode, Outcomes.read(folder / "outcomes.jsonl")


def test_a_run_that_is_killed_leaves_what_it_has_and_where_it_stood(tmp_path: Path) -> None:
    code, found = run(tmp_path, TESTS)
    assert (code, found.collected) == (7, 8)
    assert found.unfinished == "test_it.py::test_that_ends_all"
    assert {name.partition("::")[2]: outcome for name, outcome in found.ended.items()} == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_left_out": "skipped",
        "test_leaves_itself_out": "skipped",
        "test_never_begins": "error",
        "test_good_but_untidy": "error",
    }
    texts = {name.partition("::")[2]: text for name, text in found.texts.items()}
    assert set(texts) == {"test_bad", "test_never_begins", "test_good_but_untidy"}
    assert "'тест' == 'test'" in texts["test_bad"]
    assert "left behind" in texts["test_good_but_untidy"]


@pytest.mark.soak
def test_a_whole_run_has_nothing_unfinished(tmp_path: Path) -> None:
    code, found = run(tmp_path, "def test_one(): pass\n")
    assert (code, found.collected, found.unfinished, dict(found.counts)) == (0, 1, "", {"passed": 1})


def test_a_run_that_did_not_even_begin(tmp_path: Path) -> None:
    assert Outcomes.read(tmp_path / "none.jsonl") == Outcomes()
