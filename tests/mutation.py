"""Change one thing in a file, run its tests, see whether they notice: what the tests of the careful parts are worth.

    bash tests/run.sh mutation [FILE...]          all of TESTS, or those named: queue/store/transitions.py

mutmut works in a copy below build/mutation, in which the checkout is a folder called `fanslymotion`: there it finds
the package under its own name. Prints one line a file, and below it each change that no test noticed; exit code 1 for
fewer noticed than LEAST.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "build" / "mutation"

TESTS = {
    "queue/store/transitions.py": [
        "queue/store/test_written_columns.py",
        "queue/store/test_transitions.py",
        "queue/test_laws.py",
    ],
    "pipeline/windows.py": ["pipeline/test_window_plans.py"],
    "pipeline/memory/planner.py": [
        f"pipeline/memory/test_{name}.py" for name in ("plan_changes", "planner", "fallback_laws")
    ],
    "pipeline/media/frame_checks.py": ["pipeline/media/test_frame_checks.py"],
    "pipeline/families/nan_checks.py": ["pipeline/media/test_frame_checks.py"],
    "models/download/http.py": ["models/test_http.py", "models/test_download.py"],
    "models/download/part_file.py": ["models/test_http.py", "models/test_download.py"],
}
"""File: the files of tests/unit that are its own."""

LEAST = {
    "queue/store/transitions.py": 98,
    "pipeline/windows.py": 98,
    "pipeline/media/frame_checks.py": 90,
    "pipeline/families/nan_checks.py": 100,
    "models/download/http.py": 93,
}
"""Percent of the changes that must be noticed, where it was measured."""

PYTEST = [
    *("-q", "-x", "-p", "no:cacheprovider", "--hypothesis-seed=0", "-k", "not postgresql", "-m", "not soak"),
    # No run tidies up the folders of another beside it: a test of that one would fail, as if it noticed a change.
    *("-o", "tmp_path_retention_policy=failed", "-o", "tmp_path_retention_count=1000000"),
]


def copy(name: str) -> Path:
    """Return a folder with the checkout's files in `fanslymotion/` and mutmut's settings."""
    place = PLACE / name.replace("/", "-").removesuffix(".py")
    shutil.rmtree(place, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    for path in filter(None, listed.stdout.split("\0")):
        if (ROOT / path).is_file():
            target = place / "fanslymotion" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, target)
    if (ROOT / "build" / "tests").is_dir():  # the tiny model, which is not to be built for each change
        shutil.copytree(ROOT / "build" / "tests", place / "fanslymotion" / "build" / "tests")
    settings = {
        "source_paths": ["fanslymotion"],
        # A loop that a change makes endless ends after (seconds of its tests + constant) * multiplier.
        "timeout_multiplier": 3.0,
        "timeout_constant": 30.0,
        "only_mutate": [f"fanslymotion/{name}"],
        "pytest_add_cli_args": [*PYTEST, "--import-mode=importlib", "--timeout=600"],
        "pytest_add_cli_args_test_selection": [f"fanslymotion/tests/unit/{tests}" for tests in TESTS[name]],
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    markers = re.search(r"^markers = \[.*?^\]$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert markers
    (place / "pyproject.toml").write_text(
        "[tool.mutmut]\n" + "\n".join(lines) + f"\n\n[tool.pytest.ini_options]\n{markers[0]}\n", encoding="utf-8"
    )
    return place


def mutmut(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mutmut", *words]
    temporary = place / "temporary"
    temporary.mkdir(exist_ok=True)
    environ = os.environ | {"COLUMNS": "200", "PYTEST_DEBUG_TEMPROOT": str(temporary)}
    return subprocess.run(command, cwd=place, capture_output=True, encoding="utf-8", env=environ)


def changed_lines(place: Path, mutant: str) -> list[str]:
    """Return what a change took out and put in."""
    shown = mutmut(place, "show", mutant).stdout.splitlines()
    return [f"    {line}" for line in shown if re.match(r"[+-](?![+-])", line)]


def check(name: str) -> bool:
    place = copy(name)
    ran = mutmut(place, "run")
    mutmut(place, "export-cicd-stats")
    stats = place / "mutants" / "mutmut-cicd-stats.json"
    if not stats.is_file() or " not checked" in mutmut(place, "results").stdout:
        print(f"{name}: mutmut did not get to the end:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
        return False
    found = json.loads(stats.read_text(encoding="utf-8"))
    noticed = found["killed"] + found["timeout"]
    percent = 100 * noticed / max(1, found["total"])
    print(f"{name}: {noticed} of {found['total']} changes noticed, {percent:.0f} %", flush=True)
    for line in mutmut(place, "results").stdout.splitlines():
        if re.search(r": (survived|no tests|suspicious)$", line):
            print(f"  {line.strip()}")
            print(*changed_lines(place, line.split(":")[0].strip()), sep="\n", flush=True)
    return percent >= LEAST.get(name, 0)


def main() -> int:
    names = sys.argv[1:] or list(TESTS)
    unknown = [name for name in names if name not in TESTS]
    if unknown:
        print(f"{unknown[0]} is none of them; choose from {', '.join(TESTS)}", file=sys.stderr)
        return 2
    enough = [check(name) for name in names]
    return int(not all(enough))


if __name__ == "__main__":
    sys.exit(main())
