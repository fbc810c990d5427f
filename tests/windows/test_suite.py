"""The portable part of this very suite, run by Windows' Python: no test of it may fail there."""

import xml.etree.ElementTree as xml

import pytest
from fanslymotion.tests.damages import KINDS

from .prefix import Prefix

DAMAGES = "tests/unit/ui/test_damaged_list.py::test_a_page_goes_on"
DAMAGES_TRIED = ("emptied", "header", "leaf_garbage")
"""Each takes up to a minute under wine, since the doctor starts programs; the part `queue` tries all kinds."""
PARTS = {
    "queue": ["tests/unit/queue", "tests/unit/fs"],
    "models": ["tests/unit/models", "tests/unit/presets", "tests/unit/pipeline/memory"],
    # Left out: what needs node or import-linter, and says the same on every system.
    "page": [
        "tests/unit/ui",
        "--ignore=tests/unit/ui/test_scripts.py",
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


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", PARTS)
def test_with_windows_python(with_pytest: Prefix, part: str, record_property) -> None:
    report = with_pytest.checkout / "build" / f"{part}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    words = ("-q", "--tb=short", "-p", "no:cacheprovider", f"--junit-xml=build/{part}.xml", *PARTS[part])
    done = with_pytest.python("-m", "pytest", *words, seconds=3500)
    assert report.is_file(), done.stdout
    suite = xml.parse(report).getroot()[0]
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    print(part, counts)
    record_property("counts", counts)
    assert counts["tests"] > counts["skipped"], done.stdout
    assert done.returncode == 0, done.stdout[-20_000:]
