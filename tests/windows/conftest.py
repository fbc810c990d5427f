"""Fixtures of the tests under wine. They are collected only where `bash tests/run.sh --windows` has made a prefix."""

import os
from pathlib import Path

import pytest

from .prefix import TEST_PACKAGES, Prefix

FOLDER = os.environ.get("FANSLYMOTION_WINE", "")
collect_ignore_glob = [] if FOLDER else ["*"]


@pytest.fixture(scope="session")
def prefix() -> Prefix:
    made = Prefix(Path(FOLDER))
    made.copy_checkout()
    return made


@pytest.fixture(scope="session")
def installed(prefix: Prefix) -> Prefix:
    """The checkout after the launcher's setup, as a user's first start does it."""
    done = prefix.launch("setup", seconds=3000)
    assert done.returncode == 0, done.stdout
    assert "every package is there and whole" in done.stdout
    return prefix


@pytest.fixture(scope="session")
def with_pytest(installed: Prefix) -> Prefix:
    done = installed.python("-m", "pip", "install", "-q", *TEST_PACKAGES, seconds=1200)
    assert done.returncode == 0, done.stdout
    return installed
