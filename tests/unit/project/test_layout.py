"""The repository's root is the package: what that must not break, and which way its imports point."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fanslymotion.pipeline.families import families
from fanslymotion.settings import ROOT
from fanslymotion.tests.imports import loads_torch
from fanslymotion.tests.order import APART
from fanslymotion.tests.tracked import tracked
from packaging.requirements import Requirement


def python(code: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, encoding="utf-8", errors="replace", timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("cwd", [ROOT, ROOT / "queue", Path(ROOT.anchor)], ids=["root", "queue", "elsewhere"])
def test_standard_queue_is_never_shadowed(cwd):
    assert python("import queue; print(queue.SimpleQueue().qsize(), queue.__file__ is not None)", cwd) == "0 True"


def test_standard_queue_in_a_script_of_the_checkout():
    """`python app.py` puts the checkout first on the path, before the standard library."""
    imports = "import queue, fanslymotion.queue.types as types; print(queue.Queue, types.Job)"
    code = f"import sys; sys.path[0] = {str(ROOT)!r}; {imports}"
    assert python(code, Path(ROOT.anchor)) == "<class 'queue.Queue'> <class 'fanslymotion.queue.types.Job'>"


def test_queue_has_no_init():
    assert not (ROOT / "queue" / "__init__.py").exists()


HEAVY = ("torch", "diffusers", "pandas")

LATE = ("numpy", "httpx", "psycopg")
"""A command imports them when it needs them: together they took half of its start. numpy: photos. httpx: downloads."""


LIGHT = ("models.registry", "queue.jobs", "queue.liveness.supervisor", "doctor.checks", "cli.main")
"""In an order in which each brings the least that the ones before it have not brought."""


def test_light_modules_stay_light():
    code = (
        "import importlib, sys\n"
        f"for module in {LIGHT}:\n"
        "    importlib.import_module('fanslymotion.' + module)\n"
        f"    print(module, [one for one in {HEAVY + LATE} if one in sys.modules])"
    )
    assert python(code, Path(ROOT.anchor)).splitlines() == [f"{module} []" for module in LIGHT]


PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

PACKAGES = PYPROJECT["tool"]["setuptools"]["packages"]

FOLDERS = sorted({package.split(".")[1] for package in PACKAGES if "." in package})

TOOLS = (".ci", "bench", "docs", "tests", "training")
"""Folders with code that is no part of the package."""


def modules() -> list[Path]:
    files = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    return sorted(path for path in files if path.name not in ("app.py", "launch.py", "__main__.py"))


def test_import_contracts_hold():
    done = subprocess.run([sys.executable, "-P", ROOT / ".ci" / "contracts.py"], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


CONTRACTS = PYPROJECT["tool"]["importlinter"]["contracts"]


def test_contracts_leave_out_no_module():
    """`exhaustive` breaks a contract where its folder has a module or folder that no layer names."""
    assert [one["name"] for one in CONTRACTS if one["type"] == "layers" and not one.get("exhaustive")] == []


def test_every_family_is_protected():
    (protected,) = (one for one in CONTRACTS if one["type"] == "protected")
    assert protected["protected_modules"] == [f"fanslymotion.pipeline.families.{name}" for name in sorted(families())]


@pytest.mark.parametrize("folder", [path for top in FOLDERS for path in [ROOT / top, *(ROOT / top).rglob("*/")]])
def test_every_folder_has_few_rooms(folder):
    """A folder of two to twelve modules is read at a glance; its sub-folders are counted by themselves."""
    found = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(found) == 0 or 2 <= len(found) <= 12, folder  # 0: of data, or of sub-folders alone


STATIC = ROOT / "ui" / "static"


@pytest.mark.parametrize("folder", [STATIC, *STATIC.rglob("*/")])
def test_every_folder_of_the_page_has_few_files(folder):
    """Scripts, styles and markup alike: 2 to 12 files in each folder of ui/static."""
    assert 2 <= sum(path.is_file() for path in folder.iterdir()) <= 12, folder


def test_no_file_is_long():
    """At most 400 lines, so that a file holds one idea. eslint holds the page's scripts to 250 (tests/js)."""
    files = [*ROOT.glob("*.py"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    files += [*STATIC.rglob("*.js"), *STATIC.rglob("*.css"), *STATIC.rglob("*.ts")]
    assert len(files) > 200
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {str(path): count for path, count in lines.items() if count > 400} == {}


def statements(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement after the docstring to the end: a long list of parameters is no code."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize(("folders", "most"), [((".", *FOLDERS), 50), (("bench", "training", "tests"), 60)])
def test_no_function_needs_a_scroll(folders, most):
    """At most as many lines as a screen shows, nested functions included."""
    files = [path for folder in folders for path in (ROOT / folder).glob("*.py" if folder == "." else "**/*.py")]
    files = [path for path in files if ROOT / "training" / "runs" not in path.parents]  # what the recipe downloads
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": statements(node)
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(found) > 300
    assert {name: lines for name, lines in found.items() if lines > most} == {}


def test_package_imports_itself_relatively():
    absolute = re.compile(r"^\s*(from|import) fanslymotion\b", re.MULTILINE)
    assert [str(path) for path in modules() if absolute.search(path.read_text(encoding="utf-8"))] == []


def test_every_package_is_named():
    """A wheel holds no other folder."""
    folders = {path.parent for path in tracked("*.py") if path.parts[0] not in TOOLS}
    assert {".".join(("fanslymotion", *folder.parts)) for folder in folders} == set(PACKAGES)


def pins(path: Path) -> dict[str, Requirement]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#-"]
    requirements = [Requirement(line) for line in lines]
    return {r.name.lower().replace("_", "-"): r for r in requirements}


def test_every_dependency_is_pinned_within_its_range():
    project = PYPROJECT["project"]
    pinned = pins(ROOT / "requirements.txt")
    for wanted in map(Requirement, project["dependencies"]):
        (pin,) = pinned[wanted.name.lower()].specifier
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), wanted


def test_requirements_fit_every_system_and_end_in_the_checkout():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert text.rstrip().splitlines()[-1] == "-e ."
    assert "+cpu" not in text
    assert "://" not in text
    assert all(str(r.specifier).startswith("==") for r in pins(ROOT / "requirements.txt").values())


def test_two_requirement_files_do_not_contradict_each_other():
    base, dev = pins(ROOT / "requirements.txt"), pins(ROOT / "tests" / "requirements.txt")
    assert {name for name in base.keys() & dev.keys() if base[name].specifier != dev[name].specifier} == set()


@pytest.mark.parametrize(
    ("file", "heavy"),
    [("pipeline/produce.py", True), ("tests/unit/queue/store/test_import_orphans.py", True), ("cli/main.py", False)],
)
def test_fast_tests_are_told_from_their_imports(file, heavy):
    assert loads_torch(ROOT / file) is heavy


@pytest.mark.parametrize("file", sorted(APART))
def test_files_whose_tests_run_apart_share_nothing(file):
    """A fixture of the module would be made once in each process that gets one of its tests."""
    assert 'scope="module"' not in (ROOT / file).read_text(encoding="utf-8")
