"""Files that scripts upload: kept for a day of the page's running time, at most so many of one login."""

import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput, StoreError
from fanslymotion.settings import Settings
from fanslymotion.ui.uploads import api_uploads as module
from fanslymotion.ui.uploads.api_uploads import KEEP_SECONDS, ApiUploads
from starlette.testclient import TestClient

from ..conftest import BEN


def add(uploads: ApiUploads, owner: str = "anna") -> str:
    return uploads.add(io.BytesIO(b"photo"), owner)


def kept(uploads: ApiUploads, upload: str, owner: str = "anna") -> bool:
    try:
        return uploads.find(upload, owner).is_file()
    except BadInput:
        return False


def test_a_file_is_kept_for_a_day(settings: Settings) -> None:
    now = 5.0
    uploads = ApiUploads(settings, lambda: now)
    old = add(uploads)
    now += 60
    young = add(uploads)
    now = 5.0 + KEEP_SECONDS
    add(uploads, "ben")
    assert [kept(uploads, one) for one in (old, young)] == [False, True]


@pytest.mark.parametrize("seconds", [-10 * KEEP_SECONDS, 10 * KEEP_SECONDS])
def test_a_clock_that_is_set_takes_no_file_away(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """The files' own times are the disk's, perhaps another machine's: here all of them lie before or after now."""
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    uploads = ApiUploads(settings)
    first, second = add(uploads), add(uploads)
    for upload in (first, second):
        os.utime(uploads.find(upload, "anna"), (time.time() + seconds,) * 2)
    third = add(uploads)
    assert [kept(uploads, one) for one in (first, second, third)] == [False, True, True]


def test_files_of_an_earlier_start_go_after_a_day(settings: Settings) -> None:
    """The page may run for an hour each day."""
    before = ApiUploads(settings)
    old, young = add(before), add(before)
    os.utime(before.find(old, "anna"), (time.time() - KEEP_SECONDS - 60,) * 2)
    add(ApiUploads(settings), "ben")
    assert [kept(before, one) for one in (old, young)] == [False, True]


def test_an_old_file_that_cannot_be_removed_refuses_no_new_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows: a scanner or another request has it open."""
    monkeypatch.setattr(module, "MOST_KEPT", 1)
    uploads = ApiUploads(settings)
    held = uploads.find(add(uploads), "anna")
    remove = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == held:
            raise PermissionError(13, "in use")
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert kept(uploads, add(uploads))


def test_a_folder_that_cannot_be_made_is_told(settings: Settings) -> None:
    settings.home.mkdir(parents=True, exist_ok=True)
    (settings.home / "api-uploads").write_bytes(b"")
    with pytest.raises(StoreError, match="the file cannot be kept"):
        add(ApiUploads(settings))


def test_a_temporary_folder_that_takes_nothing_is_told(
    browser: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is sent is kept there until all of it has come, from a megabyte on."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = browser(BEN).post("/gradio_api/upload", files={"files": ("a.png", bytes(3 << 20))})
    assert answer.status_code == 503
    assert "cannot be kept in " in answer.json()["error"]
    assert "No such file or directory" in answer.json()["error"]
