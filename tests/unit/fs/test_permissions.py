"""The data folder is its user's own, whatever the umask; what goes elsewhere has the rights of any new file."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.fs import make_private, private_files, users_files, users_umask
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX; there folders inherit the user's")


@pytest.fixture(autouse=True)
def open_to_all():
    before = os.umask(0)
    yield
    os.umask(before)


def opened(folder: Path) -> list[str]:
    """What in it somebody else may read, write or enter, the folder itself among it."""
    return [str(path) for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077]


def test_every_file_of_a_video_is_the_users_alone(models_dir: Path, photo: Path, tmp_path: Path) -> None:
    """From the command to the worker's files, by processes whose umask is 000."""
    home, here = tmp_path / "data", tmp_path / "here"
    here.mkdir()
    settings = Settings.local(home, models_dir)
    tiny_preset(home)
    command = [sys.executable, "-P", "-m", "fanslymotion", "generate", str(photo)]
    command += ["--resolution", "tiny", "--steps", "1", "--out", "clip.mp4"]
    done = subprocess.run(
        command, cwd=here, env=settings.environ(), capture_output=True, encoding="utf-8", errors="replace"
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("video.mp4"))
    assert list(home.rglob("*.log"))
    assert opened(home) == []
    assert stat.S_IMODE((here / "clip.mp4").stat().st_mode) == 0o666, "as any program's file"


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
