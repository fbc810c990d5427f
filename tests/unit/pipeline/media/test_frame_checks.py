"""Broken pictures fail the job; dark, white or plain photos do not."""

import numpy as np
import pytest
import torch
from fanslymotion.errors import RenderError
from fanslymotion.pipeline.families.nan_checks import check_decoded, check_latents
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


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite(value: float) -> None:
    x = torch.zeros(1, 2, 4, 3, 3)
    check_latents(x, 1, 2)
    check_decoded(x)
    x[0, 1, 2, 1, 1] = value
    with pytest.raises(RenderError, match="step 1 of 2"):
        check_latents(x, 1, 2)
    with pytest.raises(RenderError, match="latents are kept"):
        check_decoded(x)
