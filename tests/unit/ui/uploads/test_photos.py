"""Uploads on their way to a job: kept for a day, at most so many of one login, and never at another's cost."""

import asyncio
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.errors import NotFound
from fanslymotion.pipeline.media.photo.decode_process import Decoded
from fanslymotion.settings import Settings
from fanslymotion.ui.uploads import photos as module
from fanslymotion.ui.uploads.photos import KEEP_SECONDS, KEEP_STARTS, Photo, Photos
from PIL import Image


@pytest.fixture
def photos(settings, monkeypatch) -> Iterator[Photos]:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    made = Photos(settings)
    yield made
    made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started to decode the photo."""

    async def take(_turns: object, _decoder: object, source: Path, photo: Photo) -> Decoded:
        shutil.copyfile(source, photo.path)
        return Decoded(320, 180)

    monkeypatch.setattr(module, "_decode_in_turn", take)


def add(photos: Photos, source: Path, name: str, owner: str) -> Photo:
    return asyncio.run(photos.add(source, name, owner))


def kept(photos: Photos, photo: Photo) -> bool:
    try:
        return photos.get(photo.id, photo.owner).id == photo.id
    except NotFound:
        return False


def test_what_a_file_lacks_is_kept_with_the_photo(photos: Photos, photo: Path, tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.open(photo).save(whole, "JPEG", quality=95)
    cut = tmp_path / "cut"
    cut.write_bytes(whole.getvalue()[: -len(whole.getvalue()) // 10])
    added = add(photos, cut, "cut.jpg", "anna")
    assert added.notes[0].startswith("the end of cut.jpg is missing")
    assert photos.get(added.id, "anna").notes == added.notes


def test_one_logins_uploads_leave_anothers_alone(photos: Photos, photo: Path) -> None:
    hers = add(photos, photo, "hers.jpg", "anna")
    his = [add(photos, photo, "his.jpg", "ben") for _ in range(4)]
    assert kept(photos, hers)
    assert [kept(photos, one) for one in his] == [False, False, True, True], "the oldest of one's own go first"


def test_a_photo_is_kept_for_a_day(settings: Settings, photo: Path) -> None:
    now = 5.0
    photos = Photos(settings, lambda: now)
    old = add(photos, photo, "old.jpg", "anna")
    now += 60
    young = add(photos, photo, "young.jpg", "anna")
    now = 5.0 + KEEP_SECONDS
    add(photos, photo, "his.jpg", "ben")
    assert not kept(photos, old)
    assert kept(photos, young)


@pytest.mark.usefixtures("quick")
def test_a_photo_goes_also_where_no_page_runs_for_a_day(settings: Settings, photo: Path) -> None:
    """Somebody starts the page each evening: photos of jobs that were deleted long ago stayed for ever."""

    def start(name: str) -> tuple[Photos, Photo]:
        photos = Photos(settings)
        added = add(photos, photo, name, "anna")
        photos.close()
        return photos, added

    _, first = start("first.jpg")
    for _ in range(KEEP_STARTS - 1):
        later, second = start("later.jpg")
        assert kept(later, first)
    last, _ = start("last.jpg")
    assert not kept(last, first)
    assert kept(last, second)


@pytest.mark.parametrize("seconds", [-10 * KEEP_SECONDS, 10 * KEEP_SECONDS])
def test_a_clock_that_is_set_takes_no_photo_away(photos: Photos, photo: Path, monkeypatch, seconds: float) -> None:
    """The files' own times are the disk's, perhaps another machine's: here all of them lie before or after now."""
    first, second = (add(photos, photo, "hers.jpg", "anna") for _ in range(2))
    for place in (first.folder, second.folder):
        os.utime(place, (time.time() + seconds, time.time() + seconds))
    third = add(photos, photo, "hers.jpg", "anna")
    assert [kept(photos, one) for one in (first, second, third)] == [False, True, True]


def test_photos_of_an_older_version_count_as_the_oldest(photos: Photos, photo: Path) -> None:
    older = add(photos, photo, "a.jpg", "anna")
    about = older.folder / "about.json"
    said = json.loads(about.read_text(encoding="utf-8"))
    del said["number"]
    about.write_text(json.dumps(said), encoding="utf-8")
    newer = [add(photos, photo, "b.jpg", "anna") for _ in range(2)]
    assert not kept(photos, older)
    assert all(kept(photos, one) for one in newer)
