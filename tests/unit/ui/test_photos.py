"""Uploads on their way to a job: kept for a day, at most so many of one login, and never at another's cost."""

import os
import time
from pathlib import Path

import pytest
from fanslymotion.errors import NotFound
from fanslymotion.ui import photos as module
from fanslymotion.ui.photos import KEEP_SECONDS, Photo, Photos


@pytest.fixture
def photos(settings, monkeypatch) -> Photos:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    return Photos(settings)


def kept(photos: Photos, photo: Photo) -> bool:
    try:
        return photos.get(photo.id, photo.owner).id == photo.id
    except NotFound:
        return False


def at(photo: Photo, age: float) -> Photo:
    """As if it had been uploaded so many seconds ago."""
    then = time.time() - age
    os.utime(photo.folder, (then, then))
    return photo


def test_one_logins_uploads_leave_anothers_alone(photos: Photos, photo: Path) -> None:
    data = photo.read_bytes()
    hers = at(photos.add(data, "hers.jpg", "anna"), 100)
    his = [at(photos.add(data, "his.jpg", "ben"), age) for age in (40, 30, 20)]
    his.append(photos.add(data, "his.jpg", "ben"))
    assert kept(photos, hers)
    assert [kept(photos, one) for one in his] == [False, False, True, True], "the oldest of one's own go first"


def test_a_photo_is_kept_for_a_day(photos: Photos, photo: Path) -> None:
    data = photo.read_bytes()
    old = at(photos.add(data, "old.jpg", "anna"), KEEP_SECONDS + 1)
    young = at(photos.add(data, "young.jpg", "anna"), KEEP_SECONDS - 60)
    photos.add(data, "his.jpg", "ben")
    assert not kept(photos, old)
    assert kept(photos, young)
