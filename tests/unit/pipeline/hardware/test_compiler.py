"""What compiling needs, and where it keeps its files."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.pipeline.hardware.compiler import Lack, compiler_folders, lacking
from fanslymotion.pipeline.hardware.gpus import Gpus

CARD = Gpus("nvidia", ("RTX 4090",), capability=8.9)


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def environ(tmp_path: Path, *programs: str) -> dict[str, str]:
    for name in programs:
        (tmp_path / name).touch(mode=0o755)
    return {"PATH": str(tmp_path)}


@pytest.mark.usefixtures("triton")
def test_what_is_missing(tmp_path: Path) -> None:
    def look(gpus: Gpus = CARD, **given: Any) -> Lack | None:
        return lacking(gpus, **({"system": "linux", "headers": tmp_path} | given))

    assert look(environ={"PATH": str(tmp_path)}) is Lack.C_COMPILER
    found = environ(tmp_path, "clang")
    assert look(environ=found) is Lack.PYTHON_HEADERS
    (tmp_path / "Python.h").touch()
    assert look(environ=found) is None
    assert look(environ=found | {"CC": "icx"}) is Lack.C_COMPILER
    assert look(environ={"PATH": ""}, system="win32", headers=tmp_path / "none") is None
    assert look(Gpus("nvidia", ("GTX 1080",), capability=6.1), environ=found) is Lack.CARD


def test_without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert lacking(CARD, system="win32") is Lack.TRITON


def test_where_kernels_are_kept(tmp_path: Path) -> None:
    found = compiler_folders(tmp_path, {"TRITON_CACHE_DIR": "/elsewhere"})
    assert found == {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")}
