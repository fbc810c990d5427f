"""UniPC gives diffusers' numbers, and goes on from what it remembered with the same ones."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from fanslymotion.pipeline.families.base import Denoiser
from fanslymotion.pipeline.sampling.euler import denoise
from fanslymotion.pipeline.sampling.unipc import UniPC

SHAPE = (1, 3, 4, 5, 6)


class Curved(Denoiser):
    """A velocity that depends on x and σ, so that a wrong order shows."""

    def velocity(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return torch.sin(3 * x) + x * sigma

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x - sigma * self.velocity(x, sigma)

    def noised(self, x0: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x0


def stock(steps: int, shift: float) -> Any:
    made = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    made.set_timesteps(steps)
    return made


def start() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 8, 25])
def test_the_numbers_of_diffusers(steps: int, shift: float) -> None:
    scheduler, network, x = stock(steps, shift), Curved(), start()
    for i, time in enumerate(scheduler.timesteps):
        x = scheduler.step(network.velocity(x, scheduler.sigmas[i]), time, x, return_dict=False)[0]
    sigmas = scheduler.sigmas
    assert torch.equal(denoise(network, start(), sigmas, solver=UniPC(sigmas, {})), x)


@pytest.mark.parametrize("first", range(1, 9))
def test_gone_on_from_what_it_remembered(first: int) -> None:
    sigmas, states = stock(8, 5.0).sigmas, []
    one = UniPC(sigmas, {})
    whole = denoise(Curved(), start(), sigmas, solver=one, on_step=lambda i, x, d: states.append((x, one.history)))
    x, history = states[first - 1]
    assert torch.equal(denoise(Curved(), x, sigmas, first=first, solver=UniPC(sigmas, history)), whole)
    if 1 < first < 7:  # the last step takes D alone
        forgetful = {**history, "denoised": torch.zeros(SHAPE)}
        assert not torch.equal(denoise(Curved(), x, sigmas, first=first, solver=UniPC(sigmas, forgetful)), whole)


def test_a_straight_way_needs_one_step() -> None:
    """x₀ is found exactly where D is the same everywhere."""

    class Straight(Curved):
        def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
            return torch.full(SHAPE, 0.5)

    for steps in (1, 5):
        sigmas = stock(steps, 5.0).sigmas
        assert torch.allclose(denoise(Straight(), start(), sigmas, solver=UniPC(sigmas, {})), torch.full(SHAPE, 0.5))
