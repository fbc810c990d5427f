"""The checkout's files as git lists them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from fanslymotion.settings import ROOT


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks and that are there, as paths below the checkout; skip the test without git.

    Args:
        patterns: As `git ls-files` takes them; none = all files.
    """
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("git, which lists the files, is not here")
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]
