"""Frames in between: of known motion, across cuts, at the ends, of any size, and never many at once."""

import math
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from fanslymotion.pipeline.media.interpolate import interpolate


def scene(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A textured picture, larger than the frames that are cut from it."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def pan(count: int, width: int, height: int, step: float, seed: int = 0) -> list[np.ndarray]:
    """The camera goes right by `step` pixels a frame."""
    picture = scene(width + 200, height + 40, seed)
    shifts = [np.array([[1, 0, -20 - k * step], [0, 1, -20]], np.float64) for k in range(count)]
    return [cv2.warpAffine(picture, shift, (width, height), flags=cv2.INTER_CUBIC) for shift in shifts]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 100.0 if error == 0 else 10 * math.log10(255**2 / error)


@pytest.mark.parametrize("size", [(320, 184), (184, 320), (640, 360), (101, 75)])
def test_what_moves_is_seen_where_it_is(size: tuple[int, int]) -> None:
    truth = pan(9, *size, step=3.0)
    made = list(interpolate(truth[::2], 2, 8))
    assert len(made) == 8
    for k in range(1, 8, 2):
        mixed = psnr((truth[k - 1].astype(np.float64) + truth[k + 1]) / 2, truth[k])
        assert psnr(made[k], truth[k]) > max(36, mixed + 8)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_the_given_frames_stay_as_they_are(factor: int) -> None:
    given = pan(4, 160, 96, step=2.0)
    made = list(interpolate(iter(given), factor, 3 * factor))
    assert len(made) == 3 * factor
    assert all((a == b).all() for a, b in zip(made[::factor], given[:3], strict=True))
    assert all(frame.dtype == np.uint8 and frame.shape == (96, 160, 3) for frame in made)


def test_the_times_of_four_are_in_their_order() -> None:
    truth = pan(9, 320, 184, step=2.0)
    made = list(interpolate(truth[::4], 4, 8))
    for k, frame in enumerate(made):
        likest = max(range(9), key=lambda n: psnr(frame, truth[n]))
        assert likest == k


def test_what_stands_still_is_not_touched() -> None:
    still = scene(320, 184)
    for frame in interpolate([still, still.copy(), still.copy()], 4, 12):
        assert np.abs(frame.astype(int) - still).max() <= 1


def test_across_a_cut_nothing_is_mixed() -> None:
    before, after = scene(320, 184, seed=1), scene(320, 184, seed=2)
    made = list(interpolate([before, after], 4, 8))
    near = [before, before, before, after, *[after] * 4]
    assert all((a == b).all() for a, b in zip(made, near, strict=True))


def test_the_last_motion_goes_on_where_no_frame_follows() -> None:
    truth = pan(6, 320, 184, step=3.0)
    made = list(interpolate(truth[:5:2], 2, 6))
    inner = (slice(20, -20), slice(20, -20))
    assert psnr(made[5][inner], truth[5][inner]) > 34
    (alone,) = {frame.tobytes() for frame in interpolate(truth[:1], 4, 4)}
    assert alone == truth[0].tobytes()


@pytest.mark.parametrize(("factor", "total"), [(3, 6), (2, 3), (2, 0), (0, 4)])
def test_what_cannot_be_divided_is_refused(factor: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"{total} frames at factor {factor}"):
        list(interpolate(pan(2, 64, 48, 1.0), factor, total))


@pytest.mark.parametrize("factor", [1, 2])
def test_too_few_frames_are_said(factor: int) -> None:
    with pytest.raises(ValueError, match="2 frames came; 3 are needed"):
        list(interpolate(pan(2, 64, 48, 1.0), factor, 3 * factor))


def test_only_a_handful_of_frames_is_held() -> None:
    taken = []

    def source() -> Iterator[np.ndarray]:
        for k, frame in enumerate(pan(40, 64, 48, 1.0)):
            taken.append(k)
            yield frame

    for k, _ in enumerate(interpolate(source(), 2, 80)):
        assert len(taken) <= k // 2 + 8
    assert len(taken) == 40
