"""DeepCache and guidance off at low noise: what is left out, and that nothing else changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything, Nowhere
from fanslymotion.pipeline.families.base import Offload
from fanslymotion.pipeline.families.steps.effort import EVERYTHING, Effort
from fanslymotion.pipeline.families.svd.deep_cache import DeepCache
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.families.svd.model import LoadedModel, Placement, load
from fanslymotion.pipeline.sampling.euler import Guidance
from fanslymotion.pipeline.sampling.windowed import begin, sample_clip
from fanslymotion.pipeline.windows import plan_windows
from fanslymotion.tests.soak import soak
from PIL import Image

from .test_parity import ours, settings

GUIDED = Guidance(1.0, 3.0)
HALF = Effort(full_every=2)


@pytest.fixture(scope="module", params=[Offload.NONE, Offload.GROUP, *soak(Offload.SEQUENTIAL)])
def placed(request: pytest.FixtureRequest, tiny_model: Path) -> LoadedModel:
    """With shortcuts, and its weights where the plan has them."""
    placement = Placement(torch.device("cpu"), torch.float32, request.param)
    return load(ModelFolder(folder_preset(tiny_model), tiny_model), placement)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> LoadedModel:
    return load(ModelFolder(folder_preset(tiny_model), tiny_model), Placement(torch.device("cpu"), torch.float32))


def unet_input(model: LoadedModel, batch: int) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(3)
    shape = (batch, 6, model.unet.config.in_channels, 5, 8)
    return {
        "sample": torch.randn(shape, generator=draw),
        "timestep": torch.tensor(0.7),
        "encoder_hidden_states": torch.randn((batch, 1, model.unet.config.cross_attention_dim), generator=draw),
        "added_time_ids": torch.tensor([[6.0, 127.0, 0.02]]).repeat(batch, 1),
    }


@pytest.mark.parametrize("chunked", [None, 1000])
@torch.no_grad()
def test_on_features_of_the_same_input_a_cached_step_gives_the_very_numbers(
    placed: LoadedModel, chunked: int | None
) -> None:
    """All layers that it leaves out would have given what was kept; the latents' odd side needs no other path."""
    placed.chunk_forward(chunked)
    for branch, batch in (("both", 2), ("given", 1)):
        words, cache = unet_input(placed, batch), DeepCache(HALF, 9)
        plain = placed.unet(return_dict=False, **words)[0]
        assert torch.equal(cache.run(placed.unet, 2, branch, **words), plain)
        assert torch.equal(cache.run(placed.unet, 3, branch, **words), plain)
        assert torch.equal(placed.unet(return_dict=False, **words)[0], plain), "nothing is left behind"


@torch.no_grad()
def test_a_cached_step_calls_the_uppermost_layers_alone(model: LoadedModel) -> None:
    called: list[str] = []
    parts = {
        "down0": model.unet.down_blocks[0].resnets[0],
        "down1": model.unet.down_blocks[1],
        "middle": model.unet.mid_block,
        "up0": model.unet.up_blocks[0],
        "up1": model.unet.up_blocks[1].resnets[0],
        "last": model.unet.up_blocks[1].resnets[1],
    }
    hooks = [part.register_forward_pre_hook(lambda *_, name=name: called.append(name)) for name, part in parts.items()]
    cache, words = DeepCache(HALF, 9), unet_input(model, 1)
    try:
        cache.run(model.unet, 2, "given", **words)
        assert called == list(parts)
        called.clear()
        cache.run(model.unet, 3, "given", **words)
        assert called == ["down0", "up1", "last"]
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def test_an_error_in_a_cached_step_leaves_the_unet_as_it_was(model: LoadedModel) -> None:
    cache, words = DeepCache(HALF, 9), unet_input(model, 1)
    plain = cache.run(model.unet, 2, "given", **words)
    hook = model.unet.up_blocks[1].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cache.run(model.unet, 3, "given", **words)
    hook.remove()
    assert torch.equal(model.unet(return_dict=False, **words)[0], plain)


@torch.no_grad()
def test_features_are_kept_only_as_long_as_a_step_needs_them(model: LoadedModel) -> None:
    cache, words = DeepCache(HALF, 9), unet_input(model, 1)
    held = []
    for step in range(9):
        cache.run(model.unet, step, "given", **words)
        held.append(bool(cache._kept))
    assert [step for step, kept in enumerate(held) if kept] == [2, 4], "3 and 5 use them, and step 7 is whole again"
    with pytest.raises(RuntimeError, match="before a whole step"):
        DeepCache(HALF, 9).run(model.unet, 3, "given", **words)


@pytest.mark.parametrize("guidance", [GUIDED, *soak(Guidance(1.0, 1.0), replace(GUIDED, two_passes=True))])
def test_the_clip_is_close_to_the_one_in_full(model: LoadedModel, small_photo: Image.Image, guidance: Guidance) -> None:
    clip = settings(model, guidance=guidance, steps=9)
    full = ours(model, small_photo, clip)
    every_step = replace(clip, effort=Effort(full_every=1))
    assert torch.equal(ours(model, small_photo, every_step), full)
    cached = ours(model, small_photo, replace(clip, effort=HALF))
    assert 0 < (cached - full).norm() / full.norm() < 0.05


def test_two_passes_and_one_use_their_own_features(model: LoadedModel, small_photo: Image.Image) -> None:
    """Also where guidance ends between a whole step and one that uses its features."""
    for above in (0.0, float(model.schedule(9, "karras", 14, 128, 64).sigmas[3])):
        clip = settings(model, guidance=GUIDED, steps=9, effort=Effort(above, 2))
        two = replace(clip, guidance=replace(GUIDED, two_passes=True))
        assert (ours(model, small_photo, clip) - ours(model, small_photo, two)).abs().max() <= 1e-5


def test_guidance_is_off_at_low_noise(model: LoadedModel, small_photo: Image.Image) -> None:
    batches: list[int] = []
    hook = model.unet.register_forward_pre_hook(lambda _, given, words: batches.append(len(given[0])), with_kwargs=True)
    clip = settings(model, guidance=GUIDED, steps=10, schedule="ays", effort=Effort(guidance_above=0.5))
    try:
        ours(model, small_photo, clip)
    finally:
        hook.remove()
    assert batches == [2] * 7 + [1] * 3, "0.403, 0.173 and 0.034 of the published levels"


def test_from_each_state_that_is_kept_the_same_clip_comes(model: LoadedModel, small_photo: Image.Image) -> None:
    clip = settings(model, guidance=GUIDED, steps=8, effort=Effort(0.5, 2), plan=plan_windows(9, 6))
    checkpoints = Everything()
    whole = sample_clip(model, clip, begin(model, clip, small_photo), checkpoints=checkpoints)
    kept = [1, 2, 4, 6, 7, 8]
    assert [state.step for state in checkpoints.states] == [*kept, 0, *kept, 0]
    for state in checkpoints.states[2::3]:  # before a whole step of each window, and at the second one's start
        assert torch.equal(sample_clip(model, clip, state, checkpoints=Nowhere()), whole)


def test_the_steps_that_are_whole() -> None:
    assert [step for step in range(25) if not HALF.whole(step, 25)] == list(range(3, 22, 2))
    assert all(HALF.whole(step, 4) for step in range(4))
    assert all(EVERYTHING.whole(step, 25) and EVERYTHING.resumable(step, 25) for step in range(25))
    assert HALF.resumable(25, 25)
