"""An installed package without the checkout has everything that the page serves."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT

PACKAGES = ("cli", "doctor", "launcher", "messages", "models", "pipeline", "presets", "queue", "ui", "assets")
DATA = ("ui/static", "ui/locales", "assets", "messages", "presets")


def test_a_wheel_holds_what_is_no_code(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    without = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=without)
    for path in (*ROOT.glob("*.py"), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))):
        shutil.copy(path, source)
    shutil.copy(ROOT / "requirements.txt", source)
    build = "import setuptools.build_meta as build; build.build_wheel('wheel')"
    made = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = (source / "wheel").glob("fanslymotion-*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [path for folder in DATA for path in (source / folder).rglob("*") if path.is_file()]
    wanted = {f"fanslymotion/{path.relative_to(source).as_posix()}" for path in files}
    assert len(wanted) > 40
    assert wanted | {"fanslymotion/requirements.txt"} <= inside
