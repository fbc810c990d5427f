"""Two videos in one file: every frame as it was, evenly spaced, and none twice."""

import hashlib
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput, RenderError
from fanslymotion.pipeline.media.join import earlier_track, join
from fanslymotion.pipeline.media.mp4 import TRAINED_MEDIA, probe, read_metadata, read_track, read_xmp
from fanslymotion.tests.moving_video import frames, pictures, video

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


def test_a_video_of_another_size_is_encoded_anew(tmp_path: Path) -> None:
    first = video(tmp_path / "first.mp4", 10, size=(64, 64))
    second = video(tmp_path / "second.mp4", 12, seed=1)
    join(first, second, tmp_path / "both.mp4", {})
    info = probe(tmp_path / "both.mp4")
    assert (info.frames, info.fps, info.width, info.height) == (22, FPS, 128, 72)


def test_joined_again_and_again(tmp_path: Path) -> None:
    """What was copied once is copied the next time, too."""
    parts = [video(tmp_path / f"{n}.mp4", 9, seed=n) for n in range(4)]
    both = parts[0]
    for n, part in enumerate(parts[1:]):
        both, before = tmp_path / f"both-{n}.mp4", both
        join(before, part, both, {})
    assert pictures(both) == [picture for part in parts for picture in pictures(part)]


def test_a_track_is_read_from_the_index(tmp_path: Path) -> None:
    one, other = video(tmp_path / "one.mp4", 5), video(tmp_path / "other.mp4", 9, seed=3)
    assert (read_track(one).frames, read_track(other).frames) == (5, 9)
    assert read_track(one).decoder == read_track(other).decoder != read_track(video(one, 5, size=(64, 64))).decoder


@pytest.mark.parametrize("kept", [0, 20, 0.5])
def test_a_video_that_is_cut_short_is_told(tmp_path: Path, kept: float) -> None:
    whole = video(tmp_path / "whole.mp4", 5).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    with pytest.raises(RenderError, match=r"the video that this one continues cannot be read \(cut.mp4 is not a whole"):
        earlier_track(tmp_path / "cut.mp4")
    with pytest.raises(BadInput):
        read_track(tmp_path / "absent.mp4")
