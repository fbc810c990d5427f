"""Broken pictures fail the job; dark, white or plain photos do not."""

import contextlib

import numpy as np
import pytest
import torch
from fanslymotion.errors import RenderError
from fanslymotion.messages import codes
from fanslymotion.pipeline.families.nan_checks import check_conditioning, check_decoded, check_latents
from fanslymotion.pipeline.media.frame_checks import FrameGuard
from PIL import Image

SHAPE = (72, 128, 3)


def noise(low: int, high: int) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, SHAPE, dtype=np.uint8)


def plain(level: int) -> np.ndarray:
    return np.full(SHAPE, level, dtype=np.uint8)


def check(photo: np.ndarray, frame: np.ndarray) -> None:
    FrameGuard(Image.fromarray(photo)).check(np.stack([photo, frame]), first=10)


@pytest.fixture
def scene() -> np.ndarray:
    ramp = np.linspace(20, 230, SHAPE[1]).astype(np.uint8)
    return np.broadcast_to(ramp[None, :, None], SHAPE).copy()


@pytest.mark.parametrize("level", [0, 2, 4])
def test_black_frame(scene: np.ndarray, level: int) -> None:
    with pytest.raises(RenderError, match="frame 12 is black"):
        check(scene, plain(level))


@pytest.mark.parametrize("level", [60, 128, 255])
def test_frame_of_one_colour(scene: np.ndarray, level: int) -> None:
    with pytest.raises(RenderError, match="frame 12 has a single colour"):
        check(scene, plain(level))


def test_dark_and_soft_frames_of_a_normal_photo_pass(scene: np.ndarray) -> None:
    check(scene, noise(0, 12))
    check(scene, noise(120, 128))


@pytest.mark.parametrize("level", [0, 9, 128, 255])
def test_a_plain_photo_may_give_plain_frames(level: int) -> None:
    check(plain(level), plain(level))


def test_a_night_photo_may_give_black_frames() -> None:
    check(noise(0, 14), noise(0, 4))


def test_a_bright_plain_photo_may_not_turn_black() -> None:
    with pytest.raises(RenderError, match="black"):
        check(plain(200), plain(0))


def test_the_limits_of_a_flat_frame(scene: np.ndarray) -> None:
    """Two grey levels of difference are rounding; three are a picture."""
    frame = plain(128)
    frame[:36] += 3
    check(scene, frame)
    frame[:36] -= 1
    with pytest.raises(RenderError, match="single colour"):
        check(scene, frame)


def test_a_frame_is_flat_if_each_of_its_channels_is(scene: np.ndarray) -> None:
    red = np.broadcast_to(np.array([200, 30, 30], dtype=np.uint8), SHAPE)
    with pytest.raises(RenderError, match="single colour"):
        check(scene, red)
    check(red, red)


def test_a_black_frame_may_have_a_few_bright_pixels(scene: np.ndarray) -> None:
    frame = noise(0, 4)
    frame[:4, :8] = 255
    with pytest.raises(RenderError, match="black"):
        check(scene, frame)


def test_a_night_photo_with_one_lamp_may_give_black_frames() -> None:
    photo = noise(0, 8)
    photo[:5, :10] = 255
    check(photo, noise(0, 4))


@pytest.mark.parametrize(("level", "normal"), [(16, False), (17, True)])
def test_how_dark_and_how_plain_a_photo_may_be_to_be_excused(level: int, normal: bool) -> None:
    dark, plain_one = plain(level), plain(100)
    plain_one[:36] += level
    for photo, frame in ((dark, noise(0, 4)), (plain_one, plain(100))):
        with pytest.raises(RenderError) if normal else contextlib.nullcontext():
            check(photo, frame)


def test_broken_frames_are_told_with_their_code_and_what_to_do(scene: np.ndarray) -> None:
    advice = "the sampled latents are kept: try again with another seed, another size, or another model"
    for level, told in ((0, "is black though the photo is not"), (90, "has a single colour though the photo has not")):
        with pytest.raises(RenderError) as caught:
            check(scene, plain(level))
        assert caught.value.code == codes.BROKEN_PICTURE
        assert str(caught.value) == f"frame 12 {told}; {advice}"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite(value: float) -> None:
    x = torch.zeros(1, 2, 4, 3, 3)
    check_latents(x, 1, 2)
    check_decoded(x)
    check_conditioning(x, torch.zeros(2))
    x[0, 1, 2, 1, 1] = value
    files = "check the model's files (fanslymotion models check), or choose another model"
    for check_it, told in (
        (
            lambda: check_latents(x, 1, 2),
            f"the model gave numbers that are not finite (NaN) at step 1 of 2, so the video would be black; {files}",
        ),
        (
            lambda: check_decoded(x),
            "the decoder gave numbers that are not finite (NaN), so the video would be black; "
            f"the sampled latents are kept: {files}",
        ),
        (
            lambda: check_conditioning(torch.zeros(2), x),
            f"the model sees the photo in numbers that are not finite (NaN), so the video would be black; {files}",
        ),
    ):
        with pytest.raises(RenderError) as caught:
            check_it()
        assert caught.value.code == codes.BROKEN_PICTURE
        assert str(caught.value) == told
