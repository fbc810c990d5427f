"""Steps that add fresh noise: the equation, and that the noise of a step is always the same."""

from collections.abc import Sequence

import torch
from fanslymotion.pipeline.families.base import NoiseSchedule
from fanslymotion.pipeline.families.noise import step_generator
from fanslymotion.pipeline.sampling.euler import denoise
from fanslymotion.pipeline.sampling.lcm import Lcm
from fanslymotion.pipeline.sampling.solvers import solver
from fanslymotion.pipeline.sampling.unipc import UniPC

SHAPE = (1, 2, 3, 4, 4)
SIGMAS = torch.tensor([1.0, 0.757, 0.522, 0.0])


def noise(step: int, shape: Sequence[int]) -> torch.Tensor:
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(step))


class Half:
    """Finds half of what it is given, at any level."""

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return x / 2


def test_each_step_noises_what_it_found_to_the_next_level() -> None:
    x, seen = noise(99, SHAPE), []
    found = denoise(Half(), x, SIGMAS, solver=Lcm(SIGMAS, noise), on_step=lambda step, x, denoised: seen.append(x))  # type: ignore[arg-type]
    first = (1 - 0.757) * (x / 2) + 0.757 * noise(0, SHAPE)
    second = (1 - 0.522) * (first / 2) + 0.522 * noise(1, SHAPE)
    assert torch.allclose(seen[0], first)
    assert torch.allclose(seen[1], second)
    assert torch.equal(found, seen[1] / 2), "nothing is added at the end"


def test_a_steps_noise_depends_on_seed_window_and_step_alone() -> None:
    def draw(seed: int, window: int, step: int) -> float:
        return float(torch.randn(1, generator=step_generator(seed, window, step)))

    keys = [(seed, window, step) for seed in (1, 11) for window in (0, 1) for step in (0, 1)]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert draw(1, 1, 0) == draw(1, 1, 0)


def test_the_solver_is_the_schedules_choice() -> None:
    def chosen(**words: str) -> object:
        return solver(NoiseSchedule(SIGMAS, SIGMAS[:-1], SIGMAS[0], **words), {}, noise)  # type: ignore[arg-type]

    assert isinstance(chosen(solver="unipc"), UniPC)
    assert isinstance(chosen(solver="lcm"), Lcm)
    assert type(chosen()).__name__ == "Euler"
