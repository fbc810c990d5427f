"""The data folder is its user's own, whatever the umask; what goes elsewhere has the rights of any new file.

All files of a video are looked at in `tests/unit/cli/test_generate.py`.
"""

import os
import stat
from pathlib import Path

import pytest
from fanslymotion.fs import make_private, private_files, users_files, users_umask
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings
from fanslymotion.tests.permissions import POSIX, open_to_all, opened  # noqa: F401 - the fixture

pytestmark = [POSIX, pytest.mark.usefixtures("open_to_all")]


def test_a_folder_that_was_open_is_closed_with_all_that_is_in_it(tmp_path: Path) -> None:
    home = tmp_path / "data"
    (home / "jobs" / "1").mkdir(parents=True)
    (home / "jobs" / "1" / "video.mp4").write_bytes(b"video")
    (home / "link").symlink_to(tmp_path)
    outside = tmp_path.stat().st_mode
    with private_files():
        Store(Settings.local(home, tmp_path)).close()
    assert [path for path in opened(home) if not path.endswith("link")] == []
    assert stat.S_IMODE((home / "jobs" / "1" / "video.mp4").stat().st_mode) == 0o600
    assert tmp_path.stat().st_mode == outside, "no link is followed"


def test_a_folder_of_something_else_keeps_its_rights(tmp_path: Path) -> None:
    shared, sticky = tmp_path / "shared", tmp_path / "tmp"
    shared.mkdir()
    (shared / "letter.txt").touch()
    sticky.mkdir()
    sticky.chmod(0o1777)
    for folder in (shared, sticky):
        before = folder.stat().st_mode
        make_private(folder)
        assert folder.stat().st_mode == before


def test_a_file_in_the_folders_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OSError, match="exists"):
        make_private(tmp_path / "data")


def test_what_goes_elsewhere_has_the_users_rights(tmp_path: Path) -> None:
    os.umask(0o022)
    assert users_umask() == -1
    with private_files(), private_files():
        (tmp_path / "own").touch()
        assert users_umask() == 0o022
        with users_files():
            (tmp_path / "given").touch()
        (tmp_path / "own again").touch()
    (tmp_path / "after").touch()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"own": 0o600, "given": 0o644, "own again": 0o600, "after": 0o644}
