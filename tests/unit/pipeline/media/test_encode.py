"""What each option given to ffmpeg does to the file: a newer ffmpeg may accept an option and ignore it."""

import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fanslymotion.errors import RenderError
from fanslymotion.pipeline.media import encode
from fanslymotion.pipeline.media.encode import VideoEncoder
from fanslymotion.pipeline.media.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.media.mp4 import probe, read_metadata
from fanslymotion.settings import ROOT
from PIL import Image

TESTED = {
    *("-hide_banner", "-nostats", "-loglevel"),  # test_ffmpeg_says_nothing_while_all_is_well
    *("-y", "-f", "-pixel_format", "-video_size", "-framerate", "-i"),  # test_size_rate_and_pixels_arrive
    "-vf",  # test_colours_come_back, test_large_frames_are_scaled_by_lanczos, test_all_four_colour_tags
    *("-c:v", "-threads", "-preset", "-crf"),  # test_x264_works_with_our_settings
    "-g",  # test_a_keyframe_every_two_seconds
    "-movflags",  # test_the_index_comes_before_the_pictures
    "-metadata",  # test_settings_travel_in_the_file
}
MATRIX = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])
"""R'G'B' to Y'CbCr by ITU-R BT.709."""


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    with Image.open(ROOT / "assets" / "sample.jpg") as image:
        return np.asarray(image.convert("RGB").resize((320, 180)))


def write(path: Path, frames: list[np.ndarray], size: tuple[int, int] | None = None, **changes: Any) -> Path:
    height, width = frames[0].shape[:2]
    options = {"fps": 12, "source_size": (width, height), **changes}
    with VideoEncoder(path, *(size or (width, height)), **options) as encoder:
        for frame in frames:
            encoder.write(frame)
    return path


def decode(path: Path, *options: str, pixels: str = "rgb24") -> bytes:
    raw = ("-f", "rawvideo", "-pix_fmt", pixels, "-")
    return subprocess.run(
        [ffmpeg_path(), "-v", "error", "-i", str(path), *options, *raw], capture_output=True, check=True
    ).stdout


def told(path: Path, *options: str) -> str:
    """What ffmpeg writes to its terminal about a file."""
    command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-i", str(path), *options, "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, check=True).stderr.decode()


def chart() -> np.ndarray:
    """Patches of 16 × 16 pixels, so that halved chroma hides no colour: every corner and middle of the RGB cube."""
    levels = (0, 64, 128, 192, 255)
    colours = np.array([(r, g, b) for r in levels for g in levels for b in levels], np.uint8)
    colours = np.concatenate([colours, np.repeat(np.arange(0, 255, 85, dtype=np.uint8)[:, None], 3, axis=1)])
    return colours.reshape(8, 16, 3).repeat(16, axis=0).repeat(16, axis=1)


def middles(frame: np.ndarray) -> np.ndarray:
    """The chart's patches without their borders, which halved chroma blurs."""
    patches = frame.reshape(8, 16, 16, 16, 3)[:, 4:12, :, 4:12]
    return patches.astype(float).mean((1, 3))


def test_every_option_has_its_test(tmp_path: Path) -> None:
    arguments = VideoEncoder(tmp_path / "a.mp4", 64, 64, 12)._arguments()
    assert {word for word in arguments if re.match(r"-[a-z]", word)} == TESTED


def test_all_four_colour_tags_are_in_the_stream_and_in_the_file(tmp_path: Path, picture: np.ndarray) -> None:
    video = write(tmp_path / "a.mp4", [picture] * 3)
    data = video.read_bytes()
    at = data.index(b"colr", data.index(b"moov"))
    assert data[at + 4 : at + 8] == b"nclx"
    primaries, transfer, matrix, full = struct.unpack(">HHHB", data[at + 8 : at + 15])
    assert (primaries, transfer, matrix, full >> 7) == (1, 1, 1, 0)

    headers = told(video, "-c", "copy", "-bsf:v", "trace_headers")
    names = ("colour_primaries", "transfer_characteristics", "matrix_coefficients", "video_full_range_flag")
    assert [re.findall(rf"{name}\s.*= (\d+)", headers)[0] for name in names] == ["1", "1", "1", "0"]
    assert "yuv420p(tv, bt709, progressive)" in told(video)


def test_colours_come_back_by_the_matrix_that_the_tag_names(tmp_path: Path) -> None:
    expected = chart()
    video = write(tmp_path / "a.mp4", [expected] * 3)
    planes = np.frombuffer(decode(video, "-frames:v", "1", pixels="yuv420p"), np.uint8).astype(float)
    height, width = expected.shape[:2]
    y = planes[: height * width].reshape(height, width)
    u, v = (plane.reshape(height // 2, width // 2) for plane in np.split(planes[height * width :], 2))
    full = [plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (u, v)]
    found = middles(np.stack([y, *full], axis=-1))
    by_matrix = middles(expected) @ MATRIX.T * [219 / 255, 224 / 255, 224 / 255] + [16, 128, 128]
    assert np.abs(found - by_matrix).max() < 1.5
    back = np.frombuffer(decode(video, "-frames:v", "1"), np.uint8).reshape(expected.shape)
    off = np.abs(middles(back) - middles(expected))
    assert off.max() <= 3, "three 8-bit roundings of each channel"
    assert off.mean() < 1


def test_large_frames_are_scaled_by_lanczos(tmp_path: Path, picture: np.ndarray) -> None:
    grey = np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[..., None], 3, axis=2)
    video = write(tmp_path / "a.mp4", [grey], size=(640, 360))
    luma = np.frombuffer(decode(video, pixels="yuv420p")[: 640 * 360], np.uint8).reshape(360, 640)
    shown = (luma.astype(float) - 16) * 255 / 219

    def error(by: Image.Resampling) -> float:
        return float(np.abs(shown - np.asarray(Image.fromarray(grey[..., 0]).resize((640, 360), by))).mean())

    assert error(Image.Resampling.LANCZOS) < min(
        error(by) for by in (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.NEAREST)
    )


def test_conversion_is_rounded_accurately(tmp_path: Path, picture: np.ndarray, monkeypatch: Any) -> None:
    """Each chroma sample is nearer to the average of its four pixels than without `accurate_rnd`."""
    monkeypatch.setattr(encode, "CRF", 0)  # lossless: what differs comes from the conversion
    average = (picture.astype(float) @ MATRIX[1] * 224 / 255 + 128).reshape(90, 2, 160, 2).mean((1, 3))

    def error(name: str) -> float:
        planes = decode(write(tmp_path / name, [picture]), pixels="yuv420p")
        chroma = np.frombuffer(planes, np.uint8)[320 * 180 : 320 * 180 + 160 * 90].reshape(90, 160)
        return float(np.abs(chroma - average).mean())

    accurate, real = error("a.mp4"), VideoEncoder._arguments
    monkeypatch.setattr(VideoEncoder, "_arguments", lambda e: [w.replace("+accurate_rnd", "") for w in real(e)])
    assert accurate < error("b.mp4")


def test_x264_works_with_our_settings(tmp_path: Path, picture: np.ndarray) -> None:
    """x264 writes into the stream what it really did."""
    said = write(tmp_path / "a.mp4", [picture] * 3).read_bytes()
    settings = dict(
        pair.split(b"=", 1) for pair in said[said.index(b"options: ") :].split(b"\0")[0].split() if b"=" in pair
    )
    assert (settings[b"crf"], settings[b"threads"]) == (b"15.0", b"1")
    assert (settings[b"ref"], settings[b"me"], settings[b"subme"]) == (b"1", b"hex", b"2"), "what `veryfast` stands for"
    assert probe(tmp_path / "a.mp4").codec == "h264"


def test_a_keyframe_every_two_seconds(tmp_path: Path, picture: np.ndarray) -> None:
    frames = [np.roll(picture, shift, axis=1) for shift in range(0, 100, 2)]
    video = write(tmp_path / "a.mp4", frames)
    shown = told(video, "-vf", "select=key,showinfo")
    assert [float(at) for at in re.findall(r"pts_time:([\d.]+)", shown)] == [0, 2, 4]


@pytest.mark.parametrize(("fps", "shown"), [(6, 6), (12, 12), (24, 24), (24000 / 1001, 23.98)])
def test_size_rate_and_pixels_arrive(tmp_path: Path, picture: np.ndarray, fps: float, shown: float) -> None:
    info = probe(write(tmp_path / "a.mp4", [picture] * 12, fps=fps))
    assert (info.width, info.height, info.frames, info.fps) == (320, 180, 12, shown)
    assert info.pixel_format == "yuv420p"
    assert info.duration == pytest.approx(12 / fps, abs=0.01)
    again = probe(write(tmp_path / "a.mp4", [picture] * 6, fps=fps))
    assert again.frames == 6, "an older file is replaced"


def test_the_index_comes_before_the_pictures(tmp_path: Path, picture: np.ndarray) -> None:
    """So that a browser plays while it still downloads."""
    data = write(tmp_path / "a.mp4", [picture] * 3).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_settings_travel_in_the_file(tmp_path: Path, picture: np.ndarray) -> None:
    kept = {"seed": 7, "name": 'Отпуск "у моря"; 100 %', "list": [1, None]}
    assert read_metadata(write(tmp_path / "a.mp4", [picture], metadata=kept)) == kept


def test_the_same_frames_give_the_same_file(tmp_path: Path, picture: np.ndarray) -> None:
    frames = [np.roll(picture, shift, axis=1) for shift in range(0, 48, 4)]
    files = [write(tmp_path / f"{n}.mp4", frames).read_bytes() for n in range(3)]
    assert files[0] == files[1] == files[2]


def test_frames_that_x264_still_holds_are_not_called_encoded(tmp_path: Path, picture: np.ndarray) -> None:
    with VideoEncoder(tmp_path / "a.mp4", 320, 180, 12) as encoder:
        for _ in range(40):
            encoder.write(picture)
        assert encoder.encoded <= 30, "its lookahead alone is ten frames"
    assert (encoder.frames, encoder.encoded) == (40, 40)


def test_ffmpeg_says_nothing_while_all_is_well(tmp_path: Path, picture: np.ndarray) -> None:
    """Its few lines are kept for the message of a failure."""
    with VideoEncoder(tmp_path / "a.mp4", 320, 180, 12) as encoder:
        for _ in range(3):
            encoder.write(picture)
    assert encoder._ffmpeg is not None
    assert encoder._ffmpeg.said == ""


def test_ffmpeg_says_why_it_fails(tmp_path: Path, picture: np.ndarray, monkeypatch: Any) -> None:
    monkeypatch.setattr(encode, "PRESET", "no-such-preset")
    with pytest.raises(RenderError, match="no-such-preset"):
        write(tmp_path / "a.mp4", [picture] * 3)
    assert list(tmp_path.iterdir()) == []
