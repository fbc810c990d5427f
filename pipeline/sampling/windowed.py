"""A whole clip's latents, window after window; every moment of it can be kept and taken up again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import torch
from PIL import Image

from ...errors import Cancelled
from ..families.base import Denoiser, NoiseSchedule
from ..families.guidance import Guidance
from ..families.nan_checks import check_conditioning, check_latents
from ..families.svd.conditioning import Conditioning, MicroConditioning, condition, draw, window_generator
from ..families.svd.denoiser import Inputs, SvdDenoiser
from ..families.svd.schedule import noise_schedule
from ..windows import WindowOptions, WindowPlan
from .euler import Pin, denoise


@dataclass(frozen=True)
class SamplingParams:
    """Everything that decides the latents, beside the photo and the model. width, height: pixels sampled."""

    width: int
    height: int
    seed: int
    steps: int
    schedule: Literal["karras", "ays"]
    guidance: Guidance
    motion: MicroConditioning
    plan: WindowPlan
    options: WindowOptions


@dataclass(frozen=True)
class SamplingState:
    """A clip between two steps.

    window: 0-based, the one in work (`plan.count` when all are done); step: steps done in it.
    rng: state of the window's generator before its noise is drawn. noise_dtype: the type it is drawn in.
    x: (1, frames, channels, h, w) after `step` steps, None at step 0.
    done: (1, n, channels, h, w), the finished windows' latents, scaled; None in the first window.
    """

    conditioning: Conditioning
    rng: torch.Tensor
    noise_dtype: torch.dtype
    window: int = 0
    step: int = 0
    x: torch.Tensor | None = None
    done: torch.Tensor | None = None


class CheckpointSink(Protocol):
    """Where states go. `step` is called after every step and may skip; `now` is to be kept at once."""

    def step(self, state: SamplingState) -> None: ...

    def now(self, state: SamplingState) -> None: ...


ClipCallback = Callable[[int, int, torch.Tensor], None]
"""Called after each step with (window 0-based, steps done in it, D as (1, frames, channels, h, w)). May raise."""


def begin(renderer: Any, clip: SamplingParams, photo: Image.Image) -> SamplingState:
    """Condition on the photo (RGB, of the sampling size)."""
    generator = window_generator(clip.seed, 0)
    conditioning = condition(renderer, photo, clip.motion.noise_aug, generator)
    check_conditioning(conditioning.embedding, conditioning.latents)
    return SamplingState(conditioning, generator.get_state(), renderer.dtype)


def sample_clip(
    renderer: Any,
    clip: SamplingParams,
    state: SamplingState,
    *,
    keeper: CheckpointSink,
    on_step: ClipCallback = lambda window, step, denoised: None,
) -> torch.Tensor:
    """Sample what is left of the clip; return its latents (1, plan.sampled, channels, h, w).

    Any exception but Cancelled (whose job is not wanted any more) leaves the last whole step with the keeper.
    """
    state = _to(state, renderer)
    schedule = noise_schedule(renderer.scheduler, clip.steps, clip.schedule, renderer.device)
    while state.window < clip.plan.count:
        state = _Window(renderer, clip, schedule, state, keeper, on_step).run()
        keeper.now(state)
    assert state.done is not None
    return state.done


class _Window:
    """One window of a clip, from the state it is in to the next window's beginning."""

    def __init__(
        self,
        renderer: Any,
        clip: SamplingParams,
        schedule: NoiseSchedule,
        state: SamplingState,
        keeper: CheckpointSink,
        on_step: ClipCallback,
    ) -> None:
        self.renderer = renderer
        self.clip = clip
        self.schedule = schedule
        self.state = state
        self.keeper = keeper
        self.on_step = on_step

    def run(self) -> SamplingState:
        clip, state = self.clip, self.state
        generator = torch.Generator("cpu")
        generator.set_state(state.rng)
        denoiser = self._denoiser(generator)
        noise = self._noise(self._shape(), generator)
        x = state.x if state.x is not None else noise * self.schedule.init_sigma
        pin = None
        if state.window:
            assert state.done is not None
            overlap = clip.plan.overlap
            pin = Pin(state.done[:, -overlap:], noise[:, :overlap])
            if state.step == 0:
                x = pin.hold(x, self.schedule.sigmas[0], denoiser)
            if clip.options.pin == "start":
                pin = None
        try:
            x = denoise(
                denoiser,
                x,
                self.schedule.sigmas,
                first=state.step,
                pin=pin,
                on_step=self._step,
            )
        except Cancelled:
            raise
        except BaseException:
            self.keeper.now(self.state)
            raise
        return self._next(x)

    def _step(self, step: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        check_latents(x, step, self.schedule.steps)
        self.state = replace(self.state, step=step, x=x)
        self.keeper.step(self.state)
        self.on_step(self.state.window, step, denoised)

    def _denoiser(self, generator: torch.Generator) -> Denoiser:
        inputs = self._inputs(generator)
        clip = self.clip
        guidance = clip.guidance.capped(clip.options.guidance_cap) if self.state.window else clip.guidance
        return SvdDenoiser(lambda: self.renderer.bring("unet"), self.schedule, inputs, guidance)

    def _inputs(self, generator: torch.Generator) -> Inputs:
        """The first window starts from the photo, later ones from a latent of the earlier window."""
        clip, state, renderer = self.clip, self.state, self.renderer
        motion, image = clip.motion, state.conditioning.latents
        if state.window and clip.options.condition != "photo":
            assert state.done is not None
            frame = -clip.plan.overlap if clip.options.condition == "overlap" else -1
            # The network is conditioned on latents that are not scaled.
            image = state.done[:, frame] / renderer.scaling
            if clip.options.noise_aug is not None:
                motion = replace(motion, noise_aug=clip.options.noise_aug)
            image = image + motion.noise_aug * self._noise(image.shape, generator)
        return Inputs(state.conditioning.embedding, image, motion.ids(renderer.dtype, renderer.device))

    def _noise(self, shape: Any, generator: torch.Generator) -> torch.Tensor:
        return draw(shape, generator, self.state.noise_dtype, self.renderer.device).to(self.renderer.dtype)

    def _shape(self) -> tuple[int, ...]:
        clip, factor = self.clip, self.renderer.vae_factor
        channels = self.state.conditioning.latents.shape[1]
        return (1, clip.plan.frames, channels, clip.height // factor, clip.width // factor)

    def _next(self, x: torch.Tensor) -> SamplingState:
        window = self.state.window + 1
        rng = window_generator(self.clip.seed, window).get_state()
        return replace(self.state, window=window, step=0, x=None, rng=rng, done=join(self.state.done, x, self.clip))


def join(done: torch.Tensor | None, x: torch.Tensor, clip: SamplingParams) -> torch.Tensor:
    """Add a finished window to the clip."""
    if done is None:
        return x
    plan, options = clip.plan, clip.options
    if options.pin == "start":
        weight = torch.linspace(0, 1, plan.overlap + 2)[1:-1].to(x.device, x.dtype).view(1, -1, 1, 1, 1)
        shared = torch.lerp(done[:, -plan.overlap :], x[:, : plan.overlap], weight)
        done = torch.cat([done[:, : -plan.overlap], shared], dim=1)
    fresh = x[:, plan.overlap :]
    if options.match > 0:
        fresh = _match(fresh, x, done[:, : plan.frames], options)
    return torch.cat([done, fresh], dim=1)


def _match(fresh: torch.Tensor, window: torch.Tensor, first: torch.Tensor, options: WindowOptions) -> torch.Tensor:
    """Draw the new frames' channels to the first window's mean and deviation, fading in from the seam."""
    mean, std = _statistics(window)
    mean0, std0 = _statistics(first)
    moved = (fresh - mean) * (std0 / std) + mean0
    count = fresh.shape[1]
    ramp = (torch.arange(1, count + 1, device=fresh.device) / (options.fade + 1)).clamp(max=1).to(fresh.dtype)
    return torch.lerp(fresh, moved, options.match * ramp.view(1, -1, 1, 1, 1))


def _statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    over = (0, 1, 3, 4)
    return x.mean(over, keepdim=True), x.std(over, keepdim=True).clamp(min=1e-6)


def _to(state: SamplingState, renderer: Any) -> SamplingState:
    def move(tensor: torch.Tensor | None) -> Any:
        return None if tensor is None else tensor.to(renderer.device, renderer.dtype)

    conditioning = Conditioning(move(state.conditioning.embedding), move(state.conditioning.latents))
    return replace(state, conditioning=conditioning, x=move(state.x), done=move(state.done))
