"""What a folder takes on the disk while something in it is deleted."""

import os
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.models.folder_size import folder_size


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a", "b", "c/deep"), 1):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(bytes(10**number))
    return tmp_path


@pytest.mark.parametrize("vanishing", ["a", "b", "c", "c/deep"])
def test_a_folder_that_vanishes_takes_the_others_size_not_along(
    folder: Path, monkeypatch: pytest.MonkeyPatch, vanishing: str
) -> None:
    """A job is deleted while the sizes are looked at."""
    scan = os.scandir

    def vanish(path: Any) -> Any:
        if Path(path) == folder / vanishing:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanish)
    gone = {"a": 10, "b": 100}.get(vanishing, 1000)
    assert folder_size(folder) == 1110 - gone
