"""Every small file of ours after a power cut at any step of its writing: whole, or not there."""

import asyncio
import io
import json
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from fanslymotion.fs import commit_new, part_path, write_whole
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.hub import Remote, RemoteFile
from fanslymotion.models.download.model import Manifest
from fanslymotion.models.download.state import DownloadState
from fanslymotion.pipeline.hardware.measurements import Measurements
from fanslymotion.pipeline.media.normalised_photo import NormalisedPhoto
from fanslymotion.pipeline.media.photo.decode_process import decode
from fanslymotion.pipeline.media.photo.load import load_photo, save_photo
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder
from fanslymotion.tests.power import Disk, cuts
from fanslymotion.ui.auth.logins import session_key
from fanslymotion.ui.uploads.photos import Photos, make_poster
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc to see what a call syncs")


def a_key(data: bytes) -> bool:
    return len(data) >= 32


def a_picture(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
    return True


def toml(data: bytes) -> bool:
    return bool(tomllib.loads(data.decode()))


def own_json(data: bytes) -> bool:
    return bool(json.loads(data))


@dataclass
class Place:
    settings: Settings
    model: Path
    photo: Path

    @property
    def home(self) -> Path:
        return self.settings.home


def write_key(place: Place) -> None:
    session_key(place.home)


def write_measurements(place: Place) -> None:
    Measurements(place.home).change(lambda known: known.add_speed("cpu", 1.0))


def write_state(place: Place) -> None:
    Downloads(place.settings).write(DownloadState("svd", "running"))


def write_manifest(place: Place) -> None:
    Manifest("svd", place.settings).write(Remote("a/b", "c" * 40, (RemoteFile("x", 1, "", ""),)), {"x"})


def write_preset(place: Place) -> None:
    use_folder(place.model, place.settings, "own")


def write_upload(place: Place) -> None:
    photos = Photos(place.settings)
    asyncio.run(photos.add(place.photo, "photo.png", "anna"))
    photos.close()


def write_decoded(place: Place) -> None:
    """What the process that decodes uploads writes."""
    files = {"photo": str(place.home / "photo.png"), "view": str(place.home / "view.jpg")}
    answer = decode({"source": str(place.photo), "name": "photo.png", "limit": None, "side": 200, **files})
    assert answer["size"] == (320, 180)


def write_job_photo(place: Place) -> None:
    save_photo(load_photo(place.photo), place.home / "photo.png")


def write_poster(place: Place) -> None:
    photo = place.home / "photo.png"
    photo.write_bytes(place.photo.read_bytes())
    make_poster(photo)


WRITERS: list[tuple[Callable[[Place], None], str, Callable[[bytes], bool]]] = [
    (write_key, "session.key", a_key),
    (write_measurements, "measurements.json", own_json),
    (write_state, "*.state.json", own_json),
    (write_manifest, "*.files.json", own_json),
    (write_preset, "own.toml", toml),
    (write_upload, "about.json", own_json),
    (write_decoded, "view.jpg", a_picture),
    (write_decoded, "photo.png", a_picture),
    (write_job_photo, "photo.png", a_picture),
    (write_poster, "poster.jpg", a_picture),
]


def named(disk: Disk, pattern: str) -> list[bytes]:
    return [data for name, data in disk.items() if Path(name).match(pattern) and not name.endswith(".part")]


@pytest.mark.parametrize(
    ("write", "name", "whole"), WRITERS, ids=[f"{write.__name__[6:]}-{name}" for write, name, _ in WRITERS]
)
def test_whole_or_absent_at_every_step_and_durable_at_the_end(
    write, name, whole, tmp_path: Path, tiny_model: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(Settings.local(tmp_path / "home", tmp_path / "models"), tiny_model, photo)
    place.home.mkdir()
    disks = cuts(tmp_path, lambda: write(place), monkeypatch)
    assert all(whole(data) for disk in disks for data in named(disk, name))
    assert [len(named(disk, name)) for disk in disks[-2:]] == [1, 1], "written, but a power cut takes it"
    if write is not write_poster:  # its photo is copied by the test itself
        assert len(disks) > 6


def test_a_new_content_or_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    disks = cuts(tmp_path, lambda: write_whole(path, b"new"), monkeypatch)
    assert {disk.get("file") for disk in disks} == {b"old", b"new"}
    assert [disk["file"] for disk in disks[-2:]] == [b"new", b"new"]


def test_a_new_name_is_whole_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = part_path(tmp_path / "video.mp4")
    part.write_bytes(b"video")
    disks = cuts(tmp_path, lambda: commit_new(part, tmp_path / "video.mp4"), monkeypatch)
    assert {disk.get("video.mp4") for disk in disks} == {None, b"video"}
    assert [disk["video.mp4"] for disk in disks[-2:]] == [b"video", b"video"]


@pytest.mark.parametrize("normalised", [False, True])
def test_a_job_that_was_accepted_keeps_its_photo(
    settings: Settings, photo: Path, tmp_path: Path, normalised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = Jobs(settings)
    photos: list[Path | NormalisedPhoto] = [photo, NormalisedPhoto.write(load_photo(photo), tmp_path / "upload.png")]
    disks = cuts(settings.home, lambda: jobs.submit(photos[normalised], VideoRequest(seed=1)), monkeypatch)
    assert all(a_picture(data) for disk in disks for data in named(disk, "photo.png"))
    assert [len(named(disk, "photo.png")) for disk in disks[-2:]] == [1, 1]


def test_the_model_of_power_cuts_sees_what_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way the session's key was once made, and a rename without a sync: a check of the check."""

    def plainly() -> None:
        (tmp_path / "key").write_bytes(b"k" * 32)
        (tmp_path / "half").write_bytes(b"h" * 32)
        (tmp_path / "half").replace(tmp_path / "moved")

    disks = cuts(tmp_path, plainly, monkeypatch)
    assert {disk["key"] for disk in disks if "key" in disk} == {b""}
    assert {disk["moved"] for disk in disks if "moved" in disk} == {b""}
    assert disks[-1] == {}
