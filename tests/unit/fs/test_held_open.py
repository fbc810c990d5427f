"""Files that another program holds open, which Windows refuses to rename, to replace or to read."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from fanslymotion.fs import commit_new, read_patiently, write_json, write_whole
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.hub import Remote, RemoteFile
from fanslymotion.models.download.model import Manifest
from fanslymotion.models.download.state import DownloadState
from fanslymotion.settings import Settings
from fanslymotion.ui.auth.logins import session_key

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="POSIX renames and replaces open files")

Hold = Callable[[Path], None]


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Open a file as a virus scanner does, without sharing it, until somebody waits for it."""
    assert sys.platform == "win32"
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateFileW.restype = ctypes.c_void_p
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    held: list[int] = []
    pause = time.sleep

    def let_go(seconds: float = 0) -> None:
        while held:
            kernel.CloseHandle(held.pop())
        pause(seconds)

    def open_alone(path: Path) -> None:
        generic_read, open_existing = 0x80000000, 3
        handle = kernel.CreateFileW(str(path), ctypes.c_uint32(generic_read), 0, None, open_existing, 0, None)
        assert handle not in (None, ctypes.c_void_p(-1).value), ctypes.get_last_error()
        held.append(handle)
        with pytest.raises(PermissionError):
            path.read_bytes()

    monkeypatch.setattr(time, "sleep", let_go)
    yield open_alone
    let_go()


def test_a_file_is_replaced_once_it_is_let_go(tmp_path: Path, hold: Hold) -> None:
    path = tmp_path / "state.json"
    write_whole(path, "old")
    hold(path)
    write_whole(path, "new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("taken", [False, True])
def test_a_copied_video_that_is_scanned_gets_its_name(tmp_path: Path, hold: Hold, taken: bool) -> None:
    part, video = tmp_path / ".video.part", tmp_path / "video.mp4"
    part.write_bytes(b"new")
    if taken:
        video.write_bytes(b"old")
    hold(part)
    if taken:
        with pytest.raises(FileExistsError):
            commit_new(part, video)
        assert (part.read_bytes(), video.read_bytes()) == (b"new", b"old")
    else:
        commit_new(part, video)
        assert video.read_bytes() == b"new"


def test_a_small_file_is_read_once_it_is_let_go(tmp_path: Path, hold: Hold) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"{}")
    hold(path)
    assert read_patiently(path) == b"{}"


def test_a_download_whose_state_is_being_replaced_does_not_look_cancelled(tmp_path: Path, hold: Hold) -> None:
    downloads = Downloads(Settings.local(tmp_path, tmp_path / "models"))
    state = DownloadState("svd", "done", started=1.0)
    path = downloads.folder / "svd.state.json"
    write_json(path, asdict(state))
    hold(path)
    assert downloads.state("svd") == state


def test_the_key_of_the_sessions_is_not_replaced_because_it_is_scanned(tmp_path: Path, hold: Hold) -> None:
    """All logins would end."""
    key = session_key(tmp_path)
    hold(tmp_path / "session.key")
    assert session_key(tmp_path) == key


def test_a_downloads_record_of_verified_files_is_not_lost_because_it_is_scanned(tmp_path: Path, hold: Hold) -> None:
    files = tuple(RemoteFile(name, 3) for name in ("a", "b"))
    manifest = Manifest("model", Settings.local(tmp_path, tmp_path / "models"))
    remote = Remote("owner/model", "abc", files)
    manifest.write(remote, {"a"})
    hold(manifest.path)
    manifest.add(files[1])
    assert manifest.verified(remote) == {"a", "b"}
