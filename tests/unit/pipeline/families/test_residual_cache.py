"""Residuals that are used again: what a cached step leaves out, and that an interrupted job draws the same."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.pipeline.families import family
from fanslymotion.pipeline.families.base import ModelFolder, Offload
from fanslymotion.pipeline.families.placement import Placement
from fanslymotion.pipeline.families.steps.effort import Effort
from fanslymotion.pipeline.families.steps.residual_cache import ResidualCache
from fanslymotion.pipeline.families.wan.prompts import encode
from fanslymotion.pipeline.sampling.windowed import SamplingState, begin, sample_clip
from fanslymotion.pipeline.windows import WindowPlan
from fanslymotion.presets import Reuse
from fanslymotion.tests.kept_states import through_file
from PIL import Image

from .test_pieces import given
from .wan.test_sampling import CLIP as EVERY_STEP

STEPS = 9
AGAIN = Effort(reuse=Reuse(ratios=(0.99,) * (STEPS - 1), error=0.06, most=2, first=0.2))
WHOLE = [True, True, False, True, False, False, True, True, True]
CLIP = replace(EVERY_STEP, steps=STEPS, effort=AGAIN)

BLOCKS = {"ltx": "transformer_blocks", "wan": "blocks"}


@contextmanager
def counted(blocks: Any) -> Iterator[Counter[int]]:
    """Count how often each block is called."""
    calls: Counter[int] = Counter()
    hooks = [
        block.register_forward_pre_hook(lambda *_, number=number: calls.update([number]))
        for number, block in enumerate(blocks)
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def test_the_steps() -> None:
    assert [AGAIN.whole(step, STEPS) for step in range(STEPS)] == WHOLE


@torch.no_grad()
@pytest.mark.parametrize("offload", [Offload.NONE, Offload.GROUP, Offload.SEQUENTIAL])
def test_a_cached_step_calls_no_block_and_gives_the_same_from_the_same(
    name: str, request: pytest.FixtureRequest, offload: Offload
) -> None:
    """What the blocks would have added is what was kept: the same numbers within rounding."""
    folder: Path = request.getfixturevalue(f"tiny_{name}")
    placement = Placement(torch.device("cpu"), torch.float32, offload)
    kind = family(name)
    made: Any = kind.load(ModelFolder(kind.folder_preset(folder), folder), placement, lambda part: None, True)
    transformer = made.transformer
    inputs, cache = given(name, transformer, torch.float32), ResidualCache(AGAIN, STEPS, BLOCKS[name])
    plain = transformer(**inputs, return_dict=False)[0]
    with counted(getattr(transformer, BLOCKS[name])) as calls:
        assert torch.equal(cache.run(transformer, 3, "words", **inputs), plain)
        assert set(calls.values()) == {1}
        for step in (4, 5):
            found = cache.run(transformer, step, "words", **inputs)
            assert (found - plain).abs().max() <= 1e-5 * plain.abs().max()
        assert set(calls.values()) == {1}
    assert torch.equal(transformer(**inputs, return_dict=False)[0], plain), "nothing is left behind"


@torch.no_grad()
def test_residuals_are_kept_only_as_long_as_a_step_needs_them(wan: Any) -> None:
    cache, inputs, held = ResidualCache(AGAIN, STEPS, "blocks"), given("wan", wan.transformer, torch.float32), []
    for step in range(STEPS):
        for branch in ("words", "away"):
            cache.run(wan.transformer, step, branch, **inputs)
        held.append(len(cache._kept))
    assert held == [0, 2, 0, 2, 2, 0, 0, 0, 0]


@torch.no_grad()
def test_an_error_in_a_cached_step_leaves_the_transformer_as_it_was(wan: Any) -> None:
    cache, inputs = ResidualCache(AGAIN, STEPS, "blocks"), given("wan", wan.transformer, torch.float32)
    plain = cache.run(wan.transformer, 3, "words", **inputs)
    hook = wan.transformer.proj_out.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cache.run(wan.transformer, 4, "words", **inputs)
    hook.remove()
    assert torch.equal(wan.transformer(**inputs, return_dict=False)[0], plain)


@pytest.fixture(scope="module")
def begun(wan: Any, smaller_photo: Image.Image) -> SamplingState:
    words = encode(wan.model.folder, "waves", "still", wan.placement)
    return begin(wan, CLIP, smaller_photo, words.tensors)


@pytest.fixture(scope="module")
def whole(wan: Any, begun: SamplingState) -> tuple[Everything, torch.Tensor]:
    checkpoints = Everything()
    with counted(wan.transformer.blocks) as calls:
        found = sample_clip(wan, CLIP, begun, checkpoints=checkpoints)
    assert set(calls.values()) == {2 * 2 * sum(WHOLE)}, "two windows, with the prompt and without"
    return checkpoints, found


def test_the_video_is_close_to_the_one_in_full(wan: Any, begun: SamplingState, whole: Any) -> None:
    full = sample_clip(wan, replace(CLIP, effort=Effort()), begun, checkpoints=Nowhere())
    assert 0 < (whole[1] - full).norm() / full.norm() < 0.1


def test_from_each_state_that_is_kept_the_same_video_comes(wan: Any, whole: Any, tmp_path: Path) -> None:
    """None is kept before a step that would need what another process had in its memory."""
    checkpoints, expected = whole
    kept = [state for state in checkpoints.states if 0 < state.step < STEPS]
    wanted = [step for step in range(1, STEPS) if WHOLE[step]]
    assert [(state.window, state.step) for state in kept] == [(window, step) for window in (0, 1) for step in wanted]
    for state in kept:
        saved = through_file(state, tmp_path)
        assert torch.equal(sample_clip(wan, CLIP, saved, checkpoints=Nowhere()), expected), (state.window, state.step)


def test_without_guidance_at_low_noise_one_branch_is_left(wan: Any, begun: SamplingState) -> None:
    above = float(wan.schedule(STEPS, "flow", 5, 64, 32).sigmas[5])
    with counted(wan.transformer.blocks) as calls:
        sample_clip(wan, replace(CLIP, effort=replace(AGAIN, guidance_above=above)), begun, checkpoints=Nowhere())
    assert set(calls.values()) == {2 * (2 * sum(WHOLE[:5]) + sum(WHOLE[5:]))}


def test_where_another_transformer_takes_over_its_first_step_is_a_whole_one(
    wan_a14b: Any, smaller_photo: Image.Image
) -> None:
    """Its residual is not the other one's."""
    clip = replace(CLIP, width=48, plan=WindowPlan(total=5, frames=5, count=1, overlap=0))
    words = encode(wan_a14b.model.folder, "waves", "still", wan_a14b.placement)
    state = begin(wan_a14b, clip, smaller_photo.resize((48, 32)), words.tensors)
    boundary, times = wan_a14b.boundary, wan_a14b.schedule(STEPS, "flow", 5, 48, 32).timesteps
    first = int(sum(float(time) >= boundary * 1000 for time in times))
    assert not WHOLE[first], "the case that is meant"
    checkpoints = Everything()
    found = sample_clip(wan_a14b, clip, state, checkpoints=checkpoints)
    assert torch.isfinite(found).all()
    for kept in checkpoints.states:
        if 0 < kept.step < STEPS:
            assert torch.equal(sample_clip(wan_a14b, clip, kept, checkpoints=Nowhere()), found)
