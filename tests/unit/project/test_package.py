"""An installed package without the checkout has everything that the checkout's programs read."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT
from fanslymotion.tests.tracked import tracked

FOR_THE_BUILD = ("LICENSE", "README.md", "pyproject.toml")

OF_THE_CHECKOUT_ALONE = (
    *(".", "bench/", "docs/", "tests/", "training/"),
    *FOR_THE_BUILD,
    "CHANGELOG.md",
    *("launch.cmd", "launch.ps1", "launch.sh", "restart_worker.ps1", "restart_worker.sh"),
    *("launcher/get_python.ps1", "launcher/get_python.sh", "launcher/uv.txt"),  # read before anything is installed
)
"""How paths begin that no wheel has. Every other file that git tracks must be in it: code, words, presets, page."""


def test_a_wheel_holds_every_file_that_is_not_the_checkouts_alone(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    wanted = [path for path in tracked() if not path.as_posix().startswith(OF_THE_CHECKOUT_ALONE)]
    for path in (*wanted, *map(Path, FOR_THE_BUILD)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    build = "import setuptools.build_meta as build; build.build_wheel('wheel')"
    made = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = (tmp_path / "wheel").glob("fanslymotion-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {f"fanslymotion/{path.as_posix()}" for path in wanted} - inside == set()
    assert [name for name in inside if "/tests/" in name] == []
