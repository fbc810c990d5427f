"""A video that continues another one: both in one file, with the frame once that both have, interrupted or not."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import Cancelled, HandBack, RenderError
from fanslymotion.pipeline.media.frame import read_frame, read_last_frame
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.pipeline.media.photo.load import save_photo
from fanslymotion.pipeline.media.sizes import output_size
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.progress import Progress, Stage
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Resolution
from fanslymotion.tests.moving_video import frames, pictures, video
from hypothesis import given
from hypothesis import strategies as st

COUNT = 30


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return video(tmp_path / "before.mp4", COUNT, fps=6)


@pytest.fixture
def photo(before: Path, tmp_path: Path) -> Path:
    """Its last frame."""
    save_photo(read_last_frame(before, 6), tmp_path / "last.png")
    return tmp_path / "last.png"


@pytest.fixture
def brief(fast: VideoRequest) -> VideoRequest:
    """6 frames, in one step."""
    return replace(fast, seconds=1, steps=1)


@pytest.mark.parametrize("quality", ["sampled", "standard"])
def test_both_are_in_one_file(run: Callable, brief: VideoRequest, photo: Path, tmp_path: Path, quality: str) -> None:
    request, fps = replace(brief, quality=quality), 6 if quality == "sampled" else 12
    before = video(tmp_path / "before.mp4", COUNT, fps=fps)
    alone = run(request, photo=photo, out=tmp_path / "alone.mp4", work=tmp_path / "alone")
    both = run(request, photo=photo, before=before, work=tmp_path / "both")
    found = frames(both.path)
    assert [picture for _, picture in found][:COUNT] == pictures(before)
    assert [time for time, _ in found] == pytest.approx([n / fps for n in range(COUNT + alone.frames - 1)], abs=1e-3)
    assert (both.frames, both.fps, both.width, both.height) == (COUNT + alone.frames - 1, fps, 128, 72)
    assert probe(both.path).frames == both.frames
    assert read_metadata(both.path)["request"]["seed"] == brief.seed
    assert not list(tmp_path.glob("*drawn*"))


def test_one_of_another_rate_is_told_as_it_is(run: Callable, brief: VideoRequest, photo: Path, before: Path) -> None:
    """The quality's preset was changed in between: 30 frames at 6 a second, and more at 12."""
    both = run(replace(brief, quality="standard"), photo=photo, before=before)
    told, found = probe(both.path), frames(both.path)
    assert (both.frames, both.fps) == (told.frames, told.fps) == (len(found), 12)
    assert [time for time, _ in found] == pytest.approx([n / 12 for n in range(both.frames)], abs=1e-3)
    assert both.frames > 2 * COUNT


def test_taken_up_again(run: Callable, fast: VideoRequest, photo: Path, before: Path, tmp_path: Path) -> None:
    whole = pictures(run(fast, photo=photo, before=before, work=tmp_path / "whole", out=tmp_path / "whole.mp4").path)

    def hand_back(stage: Stage, moment: Progress) -> None:
        if moment.stage is stage and (moment.step >= 2 or stage is Stage.SAVING):  # few frames are encoded at once
            raise HandBack

    for stage in (Stage.SAMPLING, Stage.DECODING, Stage.SAVING):
        place = {"work": tmp_path / stage, "out": tmp_path / f"{stage}.mp4"}
        with pytest.raises(HandBack):
            run(fast, photo=photo, before=before, progress=partial(hand_back, stage), **place)
        assert pictures(run(fast, photo=photo, before=before, **place).path) == whole
        assert len(pictures(before)) == COUNT


def test_cancelled_while_it_is_written(run: Callable, brief: VideoRequest, photo: Path, before: Path, tmp_path: Path):
    def cancel(moment: Progress) -> None:
        if moment.stage is Stage.SAVING:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(brief, photo=photo, before=before, progress=cancel)
    assert sorted(path.name for path in tmp_path.glob("*.mp4*")) == ["before.mp4"]


def test_what_cannot_be_joined_is_said_before_anything_is_drawn(
    run: Callable, fast: VideoRequest, photo: Path, before: Path
) -> None:
    before.write_bytes(before.read_bytes()[:5000])
    seen: list[Any] = []
    with pytest.raises(RenderError, match="continue it again from its finished video"):
        run(fast, photo=photo, before=before, progress=seen.append, model_cache=ModelCache())
    assert seen == []


@given(
    st.integers(64, 6000), st.integers(64, 6000), st.sampled_from([(848, 480), (1280, 720), (1920, 1080), (128, 72)])
)
def test_a_videos_own_frame_gives_a_video_of_its_size(width: int, height: int, base: tuple[int, int]) -> None:
    resolution = Resolution(name="any", width=base[0], height=base[1])
    size = output_size((width, height), resolution)
    assert output_size(size, resolution) == size
    assert output_size((height, width), resolution) == size[::-1]


@pytest.mark.parametrize(("count", "fps"), [(1, 6), (24, 24), (143, 12), (288, 48)])
def test_the_last_frame_is_the_last_one(count: int, fps: int, tmp_path: Path) -> None:
    whole = video(tmp_path / "whole.mp4", count, fps=fps)
    last = read_last_frame(whole, fps)
    assert last.tobytes() == read_frame(whole, (count - 1) / fps - 0.001 if count > 1 else 0).tobytes()
    if count > 1:
        assert last.tobytes() != read_frame(whole, (count - 2) / fps - 0.001 if count > 2 else 0).tobytes()
