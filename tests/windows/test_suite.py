"""The portable part of this very suite, run by Windows' Python: no test of it may fail there."""

import subprocess

import pytest
from fanslymotion.tests.damages import KINDS

from .outcomes import Outcomes
from .prefix import Prefix

LIMIT = 3400
"""Seconds of a part. pytest-timeout's limit of a single test ends all of pytest on Windows: without a report, the tests
after it unseen, and a busy machine reaches it. So a part has only this one."""
STACKS = 900
"""Seconds after which pytest writes where a test stands; the test goes on."""

DAMAGES = "tests/unit/ui/test_damaged_list.py::test_a_page_goes_on"
DAMAGES_TRIED = ("emptied", "header", "leaf_garbage")
"""Each takes up to a minute under wine, since the doctor starts programs; the part `store` tries all kinds."""
PARTS = {
    "laws": ["tests/unit/queue/test_laws.py"],
    "store": ["tests/unit/queue/store"],
    "queue": [
        "tests/unit/queue",
        "--ignore=tests/unit/queue/test_laws.py",
        "--ignore=tests/unit/queue/store",
        "tests/unit/fs",
    ],
    "models": ["tests/unit/models", "tests/unit/presets", "tests/unit/pipeline/memory"],
    # Left out: what needs node or import-linter, and says the same on every system.
    "page": [
        "tests/unit/ui",
        "--ignore=tests/unit/ui/test_scripts.py",
        "--ignore=tests/unit/ui/page_files/test_one_script.py",
        *(f"--deselect={DAMAGES}[{kind}]" for kind in KINDS if kind not in DAMAGES_TRIED),
        "tests/unit/doctor",
    ],
    "project": [
        "tests/unit/project",
        "--deselect=tests/unit/project/test_layout.py::test_import_contracts_hold",
    ],
    "photos": ["tests/unit/pipeline/media"],
    "checkpoints": ["tests/unit/pipeline/test_checkpoint.py"],
    # TerminateProcess, which is all that Windows has
    "kills": [
        "tests/faults/test_killed_worker.py::test_a_killed_worker_costs_little_and_says_where_it_went_on",
        "tests/faults/test_one_studio.py::test_restart_of_the_worker_costs_no_attempt",
        "tests/faults/test_kills.py::test_a_worker_without_its_parent_ends_after_handing_back",
    ],
}


@pytest.mark.timeout(LIMIT + 200, func_only=True)
@pytest.mark.parametrize("part", PARTS)
def test_with_windows_python(with_pytest: Prefix, part: str, record_property) -> None:
    file = with_pytest.checkout / "build" / f"{part}.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    recorder = ("-p", "fanslymotion.tests.windows.outcomes", f"--outcomes=build/{file.name}")
    limits = ("--timeout=0", "-o", f"faulthandler_timeout={STACKS}")
    words = ("-q", "--tb=short", "-p", "no:cacheprovider", *recorder, *limits, *PARTS[part])
    try:
        done = with_pytest.python("-m", "pytest", *words, seconds=LIMIT)
        end, said = f"it ended with {done.returncode}", done.stdout
    except subprocess.TimeoutExpired as e:
        end, said = f"it did not end in {LIMIT} s", (e.stdout or b"").decode("utf-8", "replace")
    found = Outcomes.read(file)
    record_property("counts", found.counts)
    print(part, dict(found.counts), f"of {found.collected}")
    stopped = f"{end}, in {found.unfinished or 'no test'}, with {dict(found.counts)} of {found.collected}"
    assert end == "it ended with 0", "\n\n".join([stopped, *found.texts.values(), said[-20_000:]])
    assert len(found.ended) == found.collected, stopped
    assert found.counts["passed"], "every test was skipped"
