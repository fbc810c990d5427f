"""Rights of files for others than their user, for tests that set the umask to 000."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX; there folders inherit the user's")


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """Let every new file be readable and writable for all, in this process and those that it starts."""
    before = os.umask(0)
    yield
    os.umask(before)


def opened(folder: Path) -> list[str]:
    """Return what in a folder others may read, write or enter, the folder itself among it."""
    return [str(path) for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077]
