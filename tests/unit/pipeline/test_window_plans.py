"""How many windows a clip takes and where they begin. No torch."""

import math

import pytest
from fanslymotion.pipeline.families.base import Geometry
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan, plan_even_windows, plan_windows
from hypothesis import example, given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("frames", "total", "count", "overlap"),
    [(25, 36, 2, 14), (25, 72, 4, 9), (14, 36, 4, 6), (14, 72, 9, 6), (25, 25, 1, 0), (25, 6, 1, 0), (2, 6, 5, 1)],
)
def test_plan(frames: int, total: int, count: int, overlap: int) -> None:
    assert plan_windows(total, frames) == WindowPlan(total, frames, count, overlap)


@example(total=36, frames=14, share=0.36, period=1)
@given(total=st.integers(1, 600), frames=st.integers(2, 60), share=st.floats(0, 0.9), period=st.integers(0, 60))
def test_every_plan_reaches_its_end_with_the_fewest_windows(total: int, frames: int, share: float, period: int) -> None:
    plan = plan_windows(total, frames, share, period)
    starts = [plan.start(window) for window in range(plan.count)]
    assert (plan.total, plan.frames) == (total, frames)
    assert plan.sampled >= total, "no frame is missing"
    assert starts == sorted(set(starts)), "each window begins after the one before it"
    if plan.count == 1:
        assert total <= frames
        return
    assert 1 <= plan.overlap < frames
    assert plan.start(plan.count - 2) + frames < total, "no window is drawn for nothing"
    if 0 < period < frames:
        assert starts == [period * window for window in range(plan.count)]
        return
    least = min(frames - 1, max(1, math.ceil(share * frames)))
    assert plan.overlap >= least
    assert (plan.count - 1) * frames - (plan.count - 2) * least < total, "fewer would not reach it"
    if plan.overlap + 1 < frames:
        assert plan.count * frames - (plan.count - 1) * (plan.overlap + 1) < total, "a larger overlap would not either"


@pytest.mark.parametrize(("total", "count"), [(36, 3), (72, 6), (15, 2), (14, 1)])
def test_windows_of_a_looping_model_begin_at_its_returns(total: int, count: int) -> None:
    plan = plan_windows(total, 14, period=12)
    assert (plan.count, plan.overlap) == (count, 2 if count > 1 else 0)
    assert plan.sampled >= total
    assert [plan.start(window) % 12 for window in range(count)] == [0] * count


def test_a_window_shorter_than_the_loop_overlaps_as_others_do() -> None:
    assert plan_windows(36, 8, period=12) == plan_windows(36, 8)


def test_a_model_whose_motion_returns_starts_each_window_from_the_photo() -> None:
    assert WindowOptions.of(period=0) == WindowOptions()
    assert WindowOptions.of(period=12) == WindowOptions(condition="photo", pin="start")


@pytest.mark.parametrize("seconds", [6, 12])
@pytest.mark.parametrize("fps", [12, 24])
def test_a_family_with_eight_frames_to_a_latent(seconds: int, fps: int) -> None:
    """LTX-Video: the first latent is a frame alone, windows have any length up to the preset's, and share five."""
    geometry = Geometry(multiple=32, stride=8, overlap=5)
    plan = geometry.windows(seconds * fps, 161)
    assert plan.frames <= geometry.latents(161) == 21
    assert 1 + 8 * (plan.sampled - 1) >= seconds * fps > 1 + 8 * (plan.total - 2)
    assert plan.sampled - plan.total < plan.count
    assert plan == (WindowPlan(37, 21, 2, 5) if seconds * fps == 288 else WindowPlan(plan.total, plan.total, 1, 0))


@example(total=25, frames=25, overlap=9)
@given(total=st.integers(1, 400), frames=st.integers(2, 60), overlap=st.integers(1, 30))
def test_even_windows_reach_the_end_with_no_window_too_many(total: int, frames: int, overlap: int) -> None:
    plan = plan_even_windows(total, frames, overlap)
    assert total <= plan.sampled < total + plan.count
    assert plan.frames <= frames
    assert plan.overlap == (min(overlap, frames - 1) if plan.count > 1 else 0)
    assert plan.count == 1 or plan.frames > plan.overlap
    assert plan.count == 1 or plan.start(plan.count - 1) + plan.overlap < total


def test_a_latent_is_a_frame_where_nothing_else_is_said() -> None:
    geometry = Geometry(multiple=8)
    assert [geometry.latents(n) for n in (1, 2, 36)] == [1, 2, 36]
    assert geometry.windows(72, 25) == plan_windows(72, 25)
    assert geometry.windows(36, 14, 0.36, 12) == plan_windows(36, 14, 0.36, 12)
