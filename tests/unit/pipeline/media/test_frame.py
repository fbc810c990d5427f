"""A frame is read of a video, or an error says why not, whatever has happened to ffmpeg."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import RenderError
from fanslymotion.messages import codes
from fanslymotion.pipeline.media import frame
from fanslymotion.pipeline.media.frame import read_frame, read_last_frame
from fanslymotion.pipeline.media.mp4 import probe
from fanslymotion.tests.moving_video import video

READERS = [lambda path: read_frame(path, 0), lambda path: read_last_frame(path, 24)]


@pytest.mark.parametrize("read", [*READERS, probe])
def test_an_ffmpeg_that_cannot_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Any]
) -> None:
    """A virus scanner has taken it away after the program has found it."""
    path = video(tmp_path / "video.mp4", 3)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "no-ffmpeg"))
    with pytest.raises(RenderError, match="ffmpeg cannot be started") as caught:
        read(path)
    assert caught.value.code == codes.NO_ENCODER


@pytest.mark.parametrize("read", READERS)
def test_an_ffmpeg_that_does_not_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], Any]
) -> None:
    path = video(tmp_path / "video.mp4", 3)
    monkeypatch.setattr(frame, "SECONDS", -1.0)
    with pytest.raises(RenderError, match="ffmpeg did not finish") as caught:
        read(path)
    assert caught.value.code == codes.NO_ENCODER
