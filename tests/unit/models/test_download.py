"""A model's files from a hub that drops and lies, and on a disk that does the same."""

import errno
import json
import shutil
from collections import namedtuple

import pytest
from fanslymotion.errors import BadInput, Cancelled
from fanslymotion.models.download import part_file
from fanslymotion.models.download.http import FAILURES, Patience
from fanslymotion.models.download.hub import DownloadError
from fanslymotion.models.download.model import SPARE, Manifest, Meter, download
from fanslymotion.presets import load_presets

from .conftest import WEIGHTS, here, quick, wanted


def test_the_wanted_files_arrive_whole_and_nothing_else(hub, preset, settings):
    moments = []
    folder = download(preset, settings, moments.append)
    assert folder == settings.models / "tiny"
    assert here(settings) == wanted(hub)
    total = sum(map(len, wanted(hub).values()))
    assert (moments[-1].done, moments[-1].total) == (total, total)
    assert all(0 <= moment.done <= moment.total or moment.total == 0 for moment in moments)


def test_a_star_in_a_pattern_stands_for_no_folder(hub, preset, settings):
    """A repository may have a second copy of itself in one of its folders (LTX-Video 13B: 42 GiB below vae/)."""
    hub.files |= {f"unet/copy/{name}": data for name, data in hub.files.items()}
    folder = download(preset, settings)
    assert not (folder / "unet" / "copy").exists()
    assert set(here(settings)) == {"model_index.json", "unet/config.json", WEIGHTS}


def test_a_second_download_fetches_nothing(hub, preset, settings):
    download(preset, settings)
    before = dict(hub.sent)
    download(preset, settings)
    assert hub.sent == before


@pytest.mark.parametrize("hashes", [True, False])
def test_a_dropped_line_goes_on_inside_the_file(hub, preset, settings, hashes):
    hub.hashes = hashes  # without hashes the server's ETag guards the range
    size = len(hub.files[WEIGHTS])
    hub.drops[WEIGHTS] = [300_000, 200_000]
    waits = []
    download(preset, settings, patience=quick(waits))
    assert here(settings) == wanted(hub)
    assert hub.sent[WEIGHTS] <= size * 1.05
    assert len(waits) == 2
    ranged = [headers for path, headers in hub.requests if path.startswith("/storage/") and "Range" in headers]
    assert len(ranged) == 2
    assert all(("If-Range" in headers) is not hashes for headers in ranged)


def test_a_download_stopped_on_purpose_goes_on_the_next_time(hub, preset, settings):
    def stop(text):
        raise Cancelled

    hub.drops[WEIGHTS] = [400_000]
    with pytest.raises(Cancelled):
        download(preset, settings, patience=Patience(pause=lambda seconds: None, say=stop))
    assert not (settings.models / "tiny" / WEIGHTS).exists()
    moments = []
    download(preset, settings, moments.append)
    assert here(settings) == wanted(hub)
    assert hub.sent[WEIGHTS] == len(hub.files[WEIGHTS])
    assert moments[-1].done == moments[-1].total


def test_a_server_without_ranges_sends_all_of_it_again(hub, preset, settings):
    hub.ranges = False
    hub.drops[WEIGHTS] = [300_000]
    download(preset, settings, patience=quick())
    assert here(settings) == wanted(hub)
    assert hub.sent[WEIGHTS] == 300_000 + len(hub.files[WEIGHTS])


def stopped_before_a_change(hub, preset, settings):
    """A download is stopped at a part of its file, and the file changes on the hub."""
    hub.drops[WEIGHTS] = [300_000] * (FAILURES + 5)
    part = settings.models / "tiny" / (WEIGHTS + ".part")

    def stop(moment):
        if part.is_file() and part.stat().st_size >= 300_000:
            raise Cancelled

    with pytest.raises(Cancelled):
        download(preset, settings, stop, patience=quick())
    hub.drops.clear()
    hub.files[WEIGHTS] = bytes(reversed(hub.files[WEIGHTS]))


def test_a_file_that_changed_on_a_hub_without_hashes_is_not_mixed(hub, preset, settings):
    hub.hashes = False
    stopped_before_a_change(hub, preset, settings)
    download(preset, settings)
    assert here(settings) == wanted(hub)


def test_a_damaged_byte_is_noticed_and_the_file_fetched_again(hub, preset, settings):
    hub.corrupt[WEIGHTS] = 1
    said = []
    download(preset, settings, patience=quick(said))
    assert here(settings) == wanted(hub)
    assert "damaged" in said[0]


def test_a_file_that_is_always_damaged_ends_with_its_code(hub, preset, settings):
    hub.corrupt[WEIGHTS] = 10
    with pytest.raises(DownloadError, match="arrived damaged twice") as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == "FM-MODEL-002"
    assert not (settings.models / "tiny" / WEIGHTS).exists()


def test_small_files_are_verified_by_gits_hash(hub, preset, settings):
    hub.corrupt["model_index.json"] = 1
    download(preset, settings, patience=quick())
    assert here(settings) == wanted(hub)


def test_a_slow_line_has_a_speed_and_a_time_left(hub, preset, settings):
    hub.delay = 0.1
    moments = []
    download(preset, settings, moments.append)
    speeds = [moment.speed for moment in moments if moment.phase == "downloading" and moment.speed]
    assert speeds
    assert max(speeds) < 5e6
    assert any(moment.seconds_left is not None for moment in moments)


def test_the_disk_is_looked_at_first(hub, preset, settings, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DownloadError, match="FANSLYMOTION_MODELS") as caught:
        download(preset, settings)
    assert caught.value.code == "FM-DISK-003"
    assert not hub.sent[WEIGHTS]


def test_a_disk_without_room_for_a_new_version_keeps_the_old_one(hub, preset, settings, monkeypatch):
    download(preset, settings)
    before = here(settings)
    hub.files[WEIGHTS] = bytes(reversed(hub.files[WEIGHTS])) * 2
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(DownloadError, match="FANSLYMOTION_MODELS"):
        download(preset, settings)
    assert here(settings) == before


def test_a_damaged_file_makes_room_for_its_successor(hub, preset, settings, monkeypatch):
    download(preset, settings)
    (settings.models / "tiny" / WEIGHTS).write_bytes(bytes(len(hub.files[WEIGHTS])))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - SPARE, SPARE))
    download(preset, settings, recheck=True)
    assert here(settings) == wanted(hub)


def test_a_part_of_an_earlier_version_is_not_gone_on_from(hub, preset, settings):
    stopped_before_a_change(hub, preset, settings)
    said = []
    download(preset, settings, patience=quick(said))
    assert here(settings) == wanted(hub)
    assert said == [], "nothing arrived damaged"
    assert hub.starts[WEIGHTS][-1] == 0


def test_a_file_damaged_on_the_disk_comes_again_alone(hub, preset, settings):
    download(preset, settings)
    path = settings.models / "tiny" / WEIGHTS
    data = bytearray(path.read_bytes())
    data[77] ^= 1
    path.write_bytes(data)
    before = dict(hub.sent)
    download(preset, settings, recheck=True)
    assert here(settings) == wanted(hub)
    again = {name for name in hub.sent if hub.sent[name] != before.get(name, 0)}
    assert again == {WEIGHTS}


def test_a_file_cut_off_on_the_disk_comes_again_without_being_asked(hub, preset, settings):
    download(preset, settings)
    path = settings.models / "tiny" / WEIGHTS
    path.write_bytes(path.read_bytes()[:1000])
    download(preset, settings)
    assert here(settings) == wanted(hub)


def test_a_damaged_manifest_means_hashing_again_not_failing(hub, preset, settings):
    download(preset, settings)
    Manifest("tiny", settings).path.write_text("{", encoding="utf-8")
    before = dict(hub.sent)
    download(preset, settings)
    assert hub.sent == before
    assert json.loads(Manifest("tiny", settings).path.read_text(encoding="utf-8"))["verified"]


def test_a_mirror_that_tells_no_sizes_gives_no_empty_files(hub, preset, settings, monkeypatch):
    info = hub.info

    def without_sizes():
        told = info()
        return told | {"siblings": [{"rfilename": one["rfilename"]} for one in told["siblings"]]}

    monkeypatch.setattr(hub, "info", without_sizes)
    with pytest.raises(DownloadError, match="does not say how large") as caught:
        download(preset, settings, patience=quick())
    assert not caught.value.again
    assert here(settings) == {}


def test_only_models_of_the_hub_are_downloaded(settings):
    with pytest.raises(BadInput, match="mini"):
        download(load_presets(settings).model("mini"), settings)


def test_speed_is_that_of_the_last_seconds():
    clock = [0.0]
    meter = Meter(lambda: clock[0])
    meter.total = 10_000_000
    for _ in range(40):
        clock[0] += 0.5
        meter.came(1000 if clock[0] <= 10 else 500_000, 1000 if clock[0] <= 10 else 500_000)
    assert meter.speed == pytest.approx(1_000_000, rel=0.15)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "FM-DISK-003"), (errno.EACCES, "FM-DISK-002"), (errno.EIO, "FM-DISK-002")]
)
def test_only_a_full_disk_is_called_full(hub, preset, settings, monkeypatch, number, code):
    def refuse(self, piece):
        raise OSError(number, "so the system says")

    monkeypatch.setattr(part_file.PartFile, "write", refuse)
    with pytest.raises(DownloadError) as caught:
        download(preset, settings, patience=quick())
    assert caught.value.code == code
    assert ("disk is full" in str(caught.value)) == (number == errno.ENOSPC)
