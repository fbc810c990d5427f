"""Two videos in one file: every frame as it was, evenly spaced, and none twice."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from fanslymotion.bench.faults import disk
from fanslymotion.errors import BadInput, RenderError
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.frame import read_frame, read_last_frame
from fanslymotion.pipeline.media.join import earlier_track, frames_before, join
from fanslymotion.pipeline.media.mp4 import TRAINED_MEDIA, probe, read_metadata, read_track
from fanslymotion.tests.moving_video import frames, pictures, video
from fanslymotion.tests.mp4_boxes import read_xmp

FPS = 24


@pytest.mark.parametrize(("one", "other"), [(144, 143), (1, 1), (7, 100)])
def test_every_frame_stays_as_it_was(tmp_path: Path, one: int, other: int) -> None:
    place = tmp_path / "it's a папка"
    place.mkdir()
    first, second = video(place / "first.mp4", one), video(place / "second.mp4", other, seed=1)
    kept = [hashlib.sha256(path.read_bytes()).digest() for path in (first, second)]
    join(first, second, place / "both.mp4", {"about": "both"})
    found = frames(place / "both.mp4")
    assert [picture for _, picture in found] == pictures(first) + pictures(second)
    assert [time for time, _ in found] == pytest.approx([n / FPS for n in range(one + other)], abs=1e-4)
    info = probe(place / "both.mp4")
    assert (info.frames, info.fps, info.width, info.height) == (one + other, FPS, 128, 72)
    assert info.duration == pytest.approx((one + other) / FPS, abs=0.011)
    assert read_metadata(place / "both.mp4") == {"about": "both"}
    assert TRAINED_MEDIA in read_xmp(place / "both.mp4")
    assert [hashlib.sha256(path.read_bytes()).digest() for path in (first, second)] == kept
    assert sorted(path.name for path in place.iterdir()) == ["both.mp4", "first.mp4", "second.mp4"]


@pytest.mark.parametrize(
    ("size", "fps", "wanted"),
    [((64, 64), 24, 10), ((72, 128), 24, 10), ((128, 72), 12, 20), ((64, 36), 48, 5), ((128, 76), 6, 40)],
)
def test_a_video_of_another_kind_is_encoded_anew(tmp_path: Path, size: tuple, fps: int, wanted: int) -> None:
    """A resolution's or a quality's preset was changed in between: the second one's size and rate, and no other."""
    first = video(tmp_path / "first.mp4", 10, size=size, fps=fps)
    second = video(tmp_path / "second.mp4", 12, seed=1)
    join(first, second, tmp_path / "both.mp4", {})
    info, track = probe(tmp_path / "both.mp4"), read_track(tmp_path / "both.mp4")
    assert (info.frames, info.fps, info.width, info.height) == (wanted + 12, FPS, 128, 72)
    assert (track.frames, track.fps, frames_before(read_track(first), FPS)) == (wanted + 12, FPS, wanted - 1)
    times = [time for time, _ in frames(tmp_path / "both.mp4")]
    assert times == pytest.approx([n / FPS for n in range(wanted + 12)], abs=1e-4)
    assert read_last_frame(tmp_path / "both.mp4", FPS).tobytes() == last_of(tmp_path / "both.mp4")


def test_the_picture_keeps_its_proportions(tmp_path: Path) -> None:
    """A square stays one, and what is outside of the new frame is cut."""
    with VideoEncoder(tmp_path / "first.mp4", 64, 128, FPS, metadata={}) as encoder:
        picture = np.zeros((128, 64, 3), dtype=np.uint8)
        picture[48:80, 16:48] = 255
        for _ in range(4):
            encoder.write(picture)
    join(tmp_path / "first.mp4", video(tmp_path / "second.mp4", 4), tmp_path / "both.mp4", {})
    bright = np.asarray(read_frame(tmp_path / "both.mp4", 0).convert("L")) > 128
    assert (bright.any(axis=0).sum(), bright.any(axis=1).sum()) == (pytest.approx(64, abs=2), pytest.approx(64, abs=2))


def test_encoding_anew_ends_when_it_is_told_to(tmp_path: Path) -> None:
    first = video(tmp_path / "first.mp4", 4, size=(1280, 720), fps=1)
    with pytest.raises(KeyError, match="stop"):
        join(first, video(tmp_path / "second.mp4", 4, size=(1920, 1080)), tmp_path / "both.mp4", {}, check=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.mp4", "second.mp4"]


def stop() -> None:
    raise KeyError("stop")


def last_of(path: Path) -> bytes:
    count = read_track(path).frames
    return read_frame(path, (count - 1) / FPS - 0.001).tobytes()


@pytest.mark.parametrize(("count", "fps"), [(9, 24), (71, 12), (7, 30)])
def test_joined_again_and_again(tmp_path: Path, count: int, fps: int) -> None:
    """What was copied once is copied the next time, too, also where its times are no whole microseconds."""
    parts = [video(tmp_path / f"{n}.mp4", count, seed=n, fps=fps) for n in range(4)]
    both = parts[0]
    for n, part in enumerate(parts[1:]):
        both, before = tmp_path / f"both-{n}.mp4", both
        join(before, part, both, {})
    found = frames(both)
    assert [picture for _, picture in found] == [picture for part in parts for picture in pictures(part)]
    assert [time for time, _ in found] == pytest.approx([n / fps for n in range(4 * count)], abs=1e-3)


def test_a_track_is_read_from_the_index(tmp_path: Path) -> None:
    one, other = video(tmp_path / "one.mp4", 5), video(tmp_path / "other.mp4", 9, seed=3)
    assert [(read.frames, read.width, read.height, read.fps) for read in map(read_track, (one, other))] == [
        (5, 128, 72, FPS),
        (9, 128, 72, FPS),
    ]
    assert read_track(one).decoder == read_track(other).decoder != read_track(video(one, 5, size=(64, 64))).decoder


@pytest.mark.parametrize("kept", [0, 20, 0.5])
def test_a_video_that_is_cut_short_is_told(tmp_path: Path, kept: float) -> None:
    whole = video(tmp_path / "whole.mp4", 5).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    with pytest.raises(RenderError, match=r"the video that this one continues cannot be read \(cut.mp4 is not a whole"):
        earlier_track(tmp_path / "cut.mp4")
    with pytest.raises(BadInput):
        read_track(tmp_path / "absent.mp4")


@pytest.mark.parametrize("size", [(128, 72), (64, 64)], ids=["copied", "encoded"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    first, second = video(tmp_path / "first.mp4", 9, size=size), video(tmp_path / "second.mp4", 9)
    place = tmp_path / "small"
    if not disk.mount(place):
        pytest.skip("only root on Linux may mount a small disk")
    try:
        disk.fill(place)
        with pytest.raises(RenderError, match="is full; free some space and retry"):
            join(first, second, place / "both.mp4", {})
        assert [path.name for path in place.iterdir()] == ["ballast"]
        disk.make_room(place)
        join(first, second, place / "both.mp4", {})
        assert read_track(place / "both.mp4").frames == 18
    finally:
        disk.unmount(place)
