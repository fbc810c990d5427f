"""Pinned overlaps and how later windows are tied to earlier ones."""

from dataclasses import replace

import pytest
import torch
from fanslymotion.bench.checkpoint_sinks import Everything
from fanslymotion.pipeline.families.base import NoiseSchedule
from fanslymotion.pipeline.families.noise import window_generator
from fanslymotion.pipeline.families.svd.conditioning import MicroConditioning
from fanslymotion.pipeline.families.svd.denoiser import Inputs, SvdDenoiser
from fanslymotion.pipeline.families.svd.model import LoadedModel
from fanslymotion.pipeline.sampling.euler import Guidance
from fanslymotion.pipeline.sampling.pins import Pin
from fanslymotion.pipeline.sampling.windowed import SamplingParams, begin, join, sample_clip
from fanslymotion.pipeline.windows import WindowOptions, WindowPlan
from PIL import Image

STEPS = 2
FRAMES, OVERLAP = 6, 3
CLIP = SamplingParams(
    width=64,
    height=40,
    seed=5,
    steps=STEPS,
    schedule="karras",
    guidance=Guidance(1.0, 1.0),
    family_options=MicroConditioning(fps=7, bucket=127, noise_aug=0.02),
    plan=WindowPlan(total=12, frames=FRAMES, count=3, overlap=OVERLAP),
    options=WindowOptions(),
)


def sample(loaded: LoadedModel, photo: Image.Image, clip: SamplingParams) -> tuple[torch.Tensor, Everything]:
    checkpoints = Everything()
    return sample_clip(loaded, clip, begin(loaded, clip, photo), checkpoints=checkpoints), checkpoints


@pytest.fixture(scope="module")
def plain(loaded: LoadedModel, small_photo: Image.Image) -> tuple[torch.Tensor, Everything]:
    """CLIP as it is."""
    return sample(loaded, small_photo, CLIP)


def test_shared_frames_end_exactly_as_they_were(plain: tuple[torch.Tensor, Everything]) -> None:
    latents, checkpoints = plain
    assert latents.shape == (1, 12, 4, 5, 8)
    last_steps = [state for state in checkpoints.states if state.step == STEPS and state.window]
    assert len(last_steps) == 2
    for state in last_steps:
        assert state.x is not None
        assert state.done is not None
        assert torch.equal(state.x[:, :OVERLAP], state.done[:, -OVERLAP:])
        assert not torch.equal(state.x[:, OVERLAP:], state.done[:, -OVERLAP:])


def test_shared_frames_carry_the_steps_noise_on_the_way() -> None:
    known, noise, x = torch.full((1, 2, 1, 1, 1), 3.0), torch.full((1, 2, 1, 1, 1), 0.5), torch.ones((1, 5, 1, 1, 1))
    pin = Pin(known, noise)
    schedule = NoiseSchedule(torch.tensor([4.0, 0.0]), torch.tensor([0.0]), torch.tensor(4.0))
    inputs = Inputs(torch.zeros(1, 1, 8), torch.zeros(1, 1, 1, 1), torch.zeros(1, 3))
    denoiser = SvdDenoiser(torch.nn.Identity, schedule, inputs, Guidance(1.0, 1.0))
    assert pin.hold(x, torch.tensor(4.0), denoiser).flatten().tolist() == [5, 5, 1, 1, 1]
    assert pin.hold(x, torch.tensor(0.0), denoiser).flatten().tolist() == [3, 3, 1, 1, 1]


def test_frames_freed_after_the_start_are_cross_faded(loaded: LoadedModel, small_photo: Image.Image) -> None:
    free = replace(CLIP, options=WindowOptions(pin="start"))
    latents, checkpoints = sample(loaded, small_photo, free)
    state = next(state for state in checkpoints.states if state.step == STEPS and state.window == 1)
    assert state.x is not None
    assert state.done is not None
    before, after = state.done[:, -OVERLAP:], state.x[:, :OVERLAP]
    assert not torch.equal(before, after)
    seam = latents[:, FRAMES - OVERLAP : FRAMES]
    expected = [torch.lerp(before[:, i], after[:, i], (i + 1) / (OVERLAP + 1)) for i in range(OVERLAP)]
    assert torch.allclose(seam, torch.stack(expected, dim=1), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        WindowOptions(condition="photo"),
        WindowOptions(condition="last"),
        WindowOptions(noise_aug=0.2),
        WindowOptions(match=1.0),
    ],
)
def test_options_change_only_what_comes_after_the_first_window(
    loaded: LoadedModel, small_photo: Image.Image, plain: tuple[torch.Tensor, Everything], options: WindowOptions
) -> None:
    usual, _ = plain
    changed, _ = sample(loaded, small_photo, replace(CLIP, options=options))
    assert torch.equal(usual[:, :FRAMES], changed[:, :FRAMES])
    assert not torch.equal(usual[:, FRAMES:], changed[:, FRAMES:])


def test_guidance_is_capped_after_the_first_window() -> None:
    ramp = Guidance(1.0, 3.0)
    assert ramp.capped(2.0) == Guidance(1.0, 2.0)
    assert ramp.capped(None) is ramp
    assert not Guidance(1.0, 3.0).capped(1.0).on


def test_new_frames_are_drawn_to_the_first_windows_statistics() -> None:
    clip = replace(CLIP, options=WindowOptions(match=1.0, fade=0))
    torch.manual_seed(0)
    done, x = torch.randn(1, FRAMES, 4, 9, 16), 3 * torch.randn(1, FRAMES, 4, 9, 16) + 2
    joined = join(done, x, clip)
    fresh = joined[:, FRAMES:]
    assert torch.equal(joined[:, :FRAMES], done)
    assert fresh.mean() == pytest.approx(done.mean().item(), abs=0.15)
    assert fresh.std() == pytest.approx(done.std().item(), rel=0.15)


def test_every_window_and_seed_has_noise_of_its_own() -> None:
    def first(seed: int, window: int) -> float:
        return torch.randn(1, generator=window_generator(seed, window)).item()

    values = {first(seed, window) for seed in range(6) for window in range(6)}
    assert len(values) == 36
    assert first(3, 2) == first(3, 2)
    assert first(11, 0) == torch.randn(1, generator=torch.Generator().manual_seed(11)).item()
