"""The photo's detail comes back where its surface is still to be seen, and nowhere else. Truth: a camera over it."""

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from fanslymotion.pipeline.media.detail.decoder_error import is_soft
from fanslymotion.pipeline.media.detail.detail import PhotoDetail, measure_blur, plain, with_detail
from fanslymotion.pipeline.media.detail.even_flow import evened
from fanslymotion.pipeline.media.detail.gpu_warps import GpuWarps
from fanslymotion.pipeline.media.detail.size import gives_detail, photo_for_detail, too_small
from fanslymotion.pipeline.media.sizes import fit_photo
from fanslymotion.settings import ROOT
from PIL import Image

SIZE, DRAWN = (768, 432), (256, 144)
COUNT = 5
SHOT = np.asarray(Image.open(ROOT / "assets" / "sample.jpg").convert("RGB"))

Change = Callable[[np.ndarray, int], np.ndarray]


def pan(count: int = COUNT) -> list[np.ndarray]:
    """What a camera sees that moves on by 6 and 2 pixels a frame."""
    return [np.ascontiguousarray(SHOT[200 + 2 * t :, 300 + 6 * t :][: SIZE[1], : SIZE[0]]) for t in range(count)]


def drawn(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, DRAWN, interpolation=cv2.INTER_AREA)


def spot(radius: float, t: int) -> np.ndarray:
    """1 inside an ellipse that goes with the picture, 0 outside, soft by a pixel."""
    mask = np.zeros(SIZE[::-1], np.float32)
    cv2.ellipse(mask, (400 - 6 * t, 220 - 2 * t), (int(2 * radius), int(radius)), 0, 0, 360, 1.0, -1)
    return cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None]


def laid_over(frame: np.ndarray, other: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return (frame * (1 - mask) + other * mask).astype(np.uint8)


def another(frame: np.ndarray, t: int) -> np.ndarray:
    """A patch has turned into something else, of the same kind."""
    return laid_over(frame, frame[:, ::-1], spot(60, t) * min(1, t / 2))


def opened(frame: np.ndarray, t: int) -> np.ndarray:
    """A dark opening, as a mouth's, that grows."""
    return laid_over(frame, np.array([40.0, 15.0, 20.0]), spot(1 + 10 * t, t))


def hand(frame: np.ndarray, t: int) -> np.ndarray:
    """Something smooth in front."""
    return laid_over(frame, np.array([205.0, 160.0, 135.0]), spot(70, t) * min(1, t))


def water(frame: np.ndarray, t: int) -> np.ndarray:
    """Ripples, too small and quick to be followed."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    across = 6 * np.sin(2 * np.pi * (y / 24 + 0.37 * t)) * min(1, t)
    down = 6 * np.sin(2 * np.pi * (x / 28 + 0.31 * t)) * min(1, t)
    moved = cv2.remap(frame, x + across, y + down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return laid_over(frame, moved, spot(110, t))


def error(made: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(made.astype(np.float32) - truth)[where].mean())


def test_it_comes_back_in_every_frame_of_a_camera_move() -> None:
    frames = pan()
    for made, truth in zip(with_detail(map(drawn, frames), frames[0]), frames, strict=True):
        everywhere = np.ones(truth.shape[:2], bool)
        assert made.shape == truth.shape
        assert error(made, truth, everywhere) < 0.6 * error(plain(drawn(truth), SIZE), truth, everywhere)


@pytest.mark.parametrize("change", [another, opened, hand, water])
def test_nothing_is_invented_where_the_video_has_changed(change: Change) -> None:
    truths = [change(frame, t) for t, frame in enumerate(pan())]
    inside, outside = [], []
    for t, (made, truth) in enumerate(zip(with_detail(map(drawn, truths), pan(1)[0]), truths, strict=True)):
        if not t:
            continue
        enlarged = plain(drawn(truth), SIZE)
        near = spot(110, t)[..., 0] > 0.5
        where = near if change is water else spot(55, t)[..., 0] > 0.5
        inside.append((error(made, truth, where), error(enlarged, truth, where)))
        outside.append(error(made, truth, ~near) / error(enlarged, truth, ~near))
    assert sum(made for made, _ in inside) <= 1.05 * sum(enlarged for _, enlarged in inside)
    assert max(outside) < 0.7, "it stays where nothing has changed"


def softly_drawn(frame: np.ndarray) -> np.ndarray:
    """As a small model's decoder draws: blurred by 1.3 pixels, paler, and with rings of its own around things."""
    soft = cv2.GaussianBlur(drawn(frame).astype(np.float32), (0, 0), 1.3)
    return np.clip(20 + 0.85 * soft + 5 * np.sin(soft / 6) + 0.5, 0, 255).astype(np.uint8)


def test_a_soft_decoders_frames_get_the_photo_back() -> None:
    """What the decoder does to the photo shows in the first frame, and is no change of the scene in the others."""
    frames = pan()
    everywhere = np.ones(SIZE[::-1], bool)
    for made, truth in zip(with_detail(map(softly_drawn, frames), frames[0]), frames, strict=True):
        assert error(made, truth, everywhere) < 0.3 * error(plain(softly_drawn(truth), SIZE), truth, everywhere)


def test_a_soft_decoders_wrong_colours_cost_no_texture() -> None:
    """`mini` errs by 15 grey levels in oranges; its texture still says that they are the photo's."""
    frames = pan()
    tint = np.array([12, 0, -12], np.float32)
    tinted = [np.clip(softly_drawn(frame) + tint * (t > 0), 0, 255).astype(np.uint8) for t, frame in enumerate(frames)]
    wrong, right = (with_detail(clip, frames[0]) for clip in (tinted, map(softly_drawn, frames)))
    for one, other in zip(wrong, right, strict=True):
        assert fine(one) > 0.68 * fine(other)


def fine(frame: np.ndarray) -> float:
    """Strength of what a blur of two pixels takes away."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2)).mean())


@pytest.mark.parametrize("change", [another, opened, hand, water])
def test_nothing_is_invented_where_a_soft_decoder_draws_something_else(change: Change) -> None:
    truths = [change(frame, t) for t, frame in enumerate(pan())]
    new, old = [], []
    for t, (made, truth) in enumerate(zip(with_detail(map(softly_drawn, truths), pan(1)[0]), truths, strict=True)):
        where = spot(110 if change is water else 55, t)[..., 0] > 0.5
        new.append(error(made, truth, where))
        old.append(error(plain(softly_drawn(truth), SIZE), truth, where))
    assert sum(new[1:]) <= 1.05 * sum(old[1:])


def test_a_cut_leaves_the_plain_enlargement() -> None:
    other = np.ascontiguousarray(SHOT[:432, 832:][:, ::-1])
    *_, made = with_detail(map(drawn, [*pan(3), other]), pan(1)[0])
    everywhere = np.ones(other.shape[:2], bool)
    assert error(made, other, everywhere) <= 1.02 * error(plain(drawn(other), SIZE), other, everywhere)


def test_what_goes_out_of_focus_stays_soft() -> None:
    """A lens that turns to something else; the photo's texture, where it is still found, would be too much."""
    truths = [cv2.GaussianBlur(frame, (0, 0), 0.05 + 0.4 * t) for t, frame in enumerate(pan())]
    everywhere = np.ones(SIZE[::-1], bool)
    mades = list(with_detail(map(drawn, truths), truths[0]))
    pairs = list(zip(mades, truths, strict=True))[3:]
    made = sum(error(one, truth, everywhere) for one, truth in pairs)
    assert made <= 1.05 * sum(error(plain(drawn(truth), SIZE), truth, everywhere) for _, truth in pairs)


def test_it_goes_with_the_light() -> None:
    """Half as bright, half the contrast: the photo's texture at its own strength would be too much."""
    truths = [(frame * (1 - 0.1 * t)).astype(np.uint8) for t, frame in enumerate(pan())]
    everywhere = np.ones(SIZE[::-1], bool)
    for made, truth in zip(with_detail(map(drawn, truths), truths[0]), truths, strict=True):
        assert error(made, truth, everywhere) < 0.65 * error(plain(drawn(truth), SIZE), truth, everywhere)


def test_grain_of_its_own_is_no_detail() -> None:
    """The photo's grain is not the frames': where it is stronger than the texture, adding it only adds noise."""
    random = np.random.default_rng(0)

    def grainy(frame: np.ndarray) -> np.ndarray:
        return np.clip(frame + random.normal(0, 8, (*SIZE[::-1], 1)), 0, 255).astype(np.uint8)

    photo, *truths = map(grainy, [*pan(1), *pan()])
    small = [cv2.resize(truth, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA) for truth in truths]
    for made, truth, frame in zip(with_detail(iter(small), photo), truths, small, strict=True):
        new, old = (float(((one.astype(np.float32) - truth) ** 2).mean()) for one in (made, plain(frame, SIZE)))
        assert new < 1.02 * old, "at most 0.1 dB worse"


def test_the_same_frames_give_the_same_result_also_begun_anew() -> None:
    frames = [drawn(frame) for frame in pan(4)]
    once = list(with_detail(iter(frames), pan(1)[0]))
    broken_off = with_detail(iter(frames), pan(1)[0])
    next(broken_off)
    next(broken_off)
    again = list(with_detail(iter(frames), pan(1)[0]))
    assert all((a == b).all() for a, b in zip(once, again, strict=True))


def test_one_frame_is_taken_for_each_that_is_given() -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield drawn(pan(1)[0])

    made = with_detail(endless(), pan(1)[0])
    for count in range(1, 4):
        next(made)
        assert taken == count


def test_a_first_frame_that_has_changed_is_not_taken_for_a_soft_decoders() -> None:
    """Both are most like a blurred photo; what is soft is also weaker in its finest texture."""
    frame = pan(1)[0]
    photo = drawn(frame)
    y, x = np.mgrid[:144, :256].astype(np.float32)
    rippled = cv2.remap(photo, x + 2 * np.sin(y / 2), y + 2 * np.sin(x / 2), cv2.INTER_CUBIC)
    for first, soft in ((rippled, False), (softly_drawn(frame), True)):
        blur = measure_blur(photo, first)
        assert blur > 0.9
        assert is_soft(first.astype(np.float32), photo.astype(np.float32), blur) is soft


def test_a_decoders_blur_is_measured() -> None:
    sharp = drawn(pan(1)[0])
    assert measure_blur(sharp, sharp) == 0
    assert measure_blur(sharp, cv2.GaussianBlur(sharp, (0, 0), 0.9)) == pytest.approx(0.9, abs=0.15)


def test_a_sharp_model_that_draws_the_outputs_size_is_left_alone() -> None:
    frame = drawn(pan(1)[0])
    detail = PhotoDetail(frame, frame)
    assert not detail.needed
    assert detail.enhance(frame) is frame
    assert PhotoDetail(frame, cv2.GaussianBlur(frame, (0, 0), 1.0)).needed, "a blurry one at the same size gains"


@pytest.mark.parametrize("trim", [0, 2])
@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("size", [(1600, 900), (600, 1200), (1600, 400)])
def test_the_photo_is_cut_to_what_the_first_frame_shows(size: tuple[int, int], fit, trim: int) -> None:
    image = Image.fromarray(cv2.resize(SHOT, size, interpolation=cv2.INTER_AREA))
    shape = (144, 256) if size[1] > size[0] else (256, 144)
    output = (shape[0] * 4, shape[1] * 4)
    found = np.asarray(photo_for_detail(image, shape, trim, output, fit))
    assert (found.shape[1], found.shape[0]) == output
    first = np.asarray(fit_photo(image, shape, fit))[trim : shape[1] - trim, trim : shape[0] - trim]
    small = cv2.resize(found, (first.shape[1], first.shape[0]), interpolation=cv2.INTER_AREA)
    there = cv2.phaseCorrelate(*(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float64) for one in (small, first)))[0]
    assert np.abs(there).max() < 0.1, "in place, to a tenth of a drawn pixel"
    assert np.abs(small.astype(int) - first).mean() < 4


def test_small_photos_and_large_models() -> None:
    assert not too_small((640, 360), (256, 144), "crop")
    assert too_small((1024, 576), (1024, 576), "crop")
    assert too_small((2000, 150), (256, 144), "crop"), "the shorter side is enlarged to fill the frame"
    assert not too_small((2000, 150), (256, 144), "pad")
    assert gives_detail((1600, 900), (1024, 576), 0, (1280, 720), "crop")
    assert not gives_detail((1600, 900), (848, 480), 0, (848, 480), "crop"), "its blur decides, frame by frame"


def test_a_photo_of_one_colour_and_a_noisy_frame_do_no_harm() -> None:
    grey = np.full((*SIZE[::-1], 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (*DRAWN[::-1], 3), np.uint8)
    made = list(with_detail([drawn(grey), noise], grey))
    assert np.abs(made[0].astype(int) - 128).max() <= 1
    assert np.abs(made[1].astype(int) - plain(noise, SIZE)).mean() < 2


def test_a_flow_is_evened_but_a_things_own_motion_stays() -> None:
    """A zoom with a search's noise in it; in the middle something moves by itself."""
    height, width = 216, 384
    y, x = np.mgrid[:height, :width].astype(np.float32)
    truth = np.dstack([0.1 * (x - width / 2), 0.1 * (y - height / 2)])
    truth[80:136, 160:224] += (4, -3)
    patches = np.random.default_rng(0).normal(0, 0.15, (height // 8, width // 8, 2)).astype(np.float32)
    found = truth + cv2.resize(patches, (width, height), interpolation=cv2.INTER_LINEAR)
    flow = evened(found, np.ones((height, width), np.float32))
    far = np.abs(flow - truth).max(-1)
    before = np.abs(found - truth).max(-1)
    assert far.mean() < 0.5 * before.mean()
    assert far[82:134, 162:222].mean() < 1.05 * before[82:134, 162:222].mean()
    assert far[[0, -1]].mean() < 0.6 * before[[0, -1]].mean(), "the frame's edge too"


def half(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (SIZE[0] // 2, SIZE[1] // 2), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("draw", [drawn, half, softly_drawn])
def test_torch_moves_the_photo_to_the_same_picture(draw: Callable[[np.ndarray], np.ndarray]) -> None:
    """As on a GPU; a change that is lit differently takes part in it."""
    frames = [draw((another(frame, t) * (1 - 0.05 * t)).astype(np.uint8)) for t, frame in enumerate(pan())]
    here = with_detail(iter(frames), pan(1)[0])
    there = with_detail(iter(frames), pan(1)[0], None, partial(GpuWarps, device=torch.device("cpu")))
    for made, other, frame in zip(here, there, frames, strict=True):
        assert cv2.absdiff(made, other).max() <= 1
        assert cv2.absdiff(made, plain(frame, SIZE)).max() > 20, "there is detail to compare"
