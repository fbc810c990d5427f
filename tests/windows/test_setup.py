"""The launcher's set-up with uv.exe, in a small checkout."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.tests.small_checkout import new_checkout, require

from .prefix import BASE_PYTHON, Prefix

pytestmark = pytest.mark.timeout(2000)
Launch = Callable[..., str]


@pytest.fixture
def root(prefix: Prefix) -> Path:
    """Letters and spaces that uv is to hand on, and read in the machine's configuration of pip."""
    root = prefix.checkout.with_name("малая студия")
    shutil.rmtree(root, ignore_errors=True)
    return new_checkout(root)


@pytest.fixture
def launch(prefix: Prefix, root: Path) -> Launch:
    def run(*words: str, **environ: str) -> str:
        done = prefix.run(
            BASE_PYTHON, "launch.py", *words, seconds=600, folder=root, FANSLYMOTION_TORCH="pypi", **environ
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_uv_installs_links_nothing_and_mends(root: Path, launch: Launch) -> None:
    """Windows deletes none of a file's links while any program has it loaded: no other environment may have one."""
    said = launch("x", "a photo.jpg")
    assert said.splitlines()[-1] == "1.0 ['x', 'a photo.jpg']"
    assert "trying with pip" not in said
    assert (root / ".venv" / "Scripts" / "uv.exe").is_file(), said

    part = root / ".venv" / "Lib" / "site-packages" / "fanslymotion" / "part7.py"
    assert part.stat().st_nlink == 1
    assert not (root / ".uv-cache").exists()
    os.truncate(part, 0)
    assert "trying with pip" not in launch("setup")
    assert part.read_text(encoding="utf-8") == "x = 1\n"


def test_pips_configuration_reaches_uv_in_its_own_letters(prefix: Prefix, root: Path, launch: Launch) -> None:
    """A pipe has the system's code page: 1251 here."""
    wheels = prefix.checkout.parents[2] / "колёса"  # pip takes a space for the end of a place
    wheels.mkdir(exist_ok=True)
    for wheel in (prefix.base / "wheels").glob("uv-*.whl"):
        shutil.copy(wheel, wheels)
    require(root, "1.1")
    said = launch("x", PIP_FIND_LINKS=r"C:\колёса")
    assert said.splitlines()[-1] == "1.1 ['x']"
    assert "trying with pip" not in said
