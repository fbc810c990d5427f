"""The repository's root is the package: what that must not break, and which way its imports point."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT
from packaging.requirements import Requirement

LAYERS = [
    "messages",
    "errors",
    "fs",
    "text_streams",
    "proxies",
    "settings",
    "presets",
    "pipeline",
    "models",
    "queue",
    "doctor",
    "ui",
    "console",
    "deliver",
    "generate",
    "cli",
]
"""Imports point from the right to the left. app.py and __main__.py stand to the right of all."""


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


@pytest.mark.parametrize("module", ["cli", "queue.jobs", "queue.supervisor", "models.registry", "doctor", "ui.web"])
def test_light_modules_stay_light(module):
    code = f"import sys, fanslymotion.{module}; print([m for m in ('torch', 'diffusers') if m in sys.modules])"
    assert python(code, Path(ROOT.anchor)) == "[]"


def modules() -> list[Path]:
    files = (path for layer in LAYERS for path in [ROOT / f"{layer}.py", *(ROOT / layer).rglob("*.py")])
    return sorted(path for path in files if path.is_file())


def imported_layers(path: Path) -> set[str]:
    """The layers that a module's relative imports reach."""
    package = path.relative_to(ROOT).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            names = [name for name in base if name]
            found |= {names[0]} if names else {alias.name for alias in node.names}
    return found & set(LAYERS)


def test_imports_point_one_way():
    def layer(path: Path) -> int:
        return LAYERS.index(path.relative_to(ROOT).with_suffix("").parts[0])

    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in imported_layers(path)
        if LAYERS.index(name) > layer(path)
    }
    assert wrong == set()


def test_package_imports_itself_relatively():
    absolute = re.compile(r"^\s*(from|import) fanslymotion\b", re.MULTILINE)
    assert [str(path) for path in modules() if absolute.search(path.read_text(encoding="utf-8"))] == []


def pins(path: Path) -> dict[str, Requirement]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#-"]
    requirements = [Requirement(line) for line in lines]
    return {r.name.lower().replace("_", "-"): r for r in requirements}


def test_every_dependency_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
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
