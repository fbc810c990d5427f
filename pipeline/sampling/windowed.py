"""Sample the latents of a whole clip, window after window. The state after each step can be stored and resumed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

import torch
from PIL import Image

from ...errors import Cancelled
from ...presets.options import ScheduleName
from ..families.base import Denoiser, FamilyOptions, NoiseSchedule, VideoModel, Window
from ..families.guidance import Guidance
from ..families.nan_checks import check_conditioning, check_latents
from ..families.noise import draw, step_generator, window_generator
from ..families.steps.effort import EVERYTHING, Effort
from ..windows import WindowOptions, WindowPlan
from .euler import denoise
from .pins import Pin
from .solvers import solver


@dataclass(frozen=True)
class SamplingParams:
    """Everything that decides the latents, apart from the photo and the model.

    Attributes:
        width: Sampling size, pixels.
        height: Sampling size, pixels.
        seed: Seed of the noise, 0 or more.
        steps: Denoising steps of each window.
        schedule: Spacing of the noise levels.
        guidance: Guidance of the first window; later ones cap it (`WindowOptions.guidance_cap`).
        family_options: The model family's own options, including the prompt.
        plan: Number, length and overlap of the windows.
        options: How a window continues the earlier one.
        effort: Which steps are computed only in part.
    """

    width: int
    height: int
    seed: int
    steps: int
    schedule: ScheduleName
    guidance: Guidance
    family_options: FamilyOptions
    plan: WindowPlan
    options: WindowOptions
    effort: Effort = EVERYTHING


@dataclass(frozen=True)
class SamplingState:
    """The state of a clip between two steps, as a checkpoint stores it.

    Attributes:
        conditioning: The encoded photo and prompt, by the family's own names.
        rng: State of the window's random generator before its noise is drawn.
        noise_dtype: Dtype that the noise is drawn in.
        window: Current window, 0-based; `plan.count` when all are done.
        step: Steps done in this window.
        x: Noisy latents after `step` steps, (1, frames, channels, h, w); None at step 0.
        done: Scaled latents of the finished windows, (1, n, channels, h, w); None in the first window.
        history: The solver's state, by its own names, float32.
    """

    conditioning: Mapping[str, torch.Tensor]
    rng: torch.Tensor
    noise_dtype: torch.dtype
    window: int = 0
    step: int = 0
    x: torch.Tensor | None = None
    done: torch.Tensor | None = None
    history: Mapping[str, torch.Tensor] = field(default_factory=dict)


class CheckpointSink(Protocol):
    """Store sampling states (`checkpoint.Checkpoints`)."""

    def step(self, state: SamplingState) -> None:
        """Receive the state after a step; storing it is optional."""
        ...

    def now(self, state: SamplingState) -> None:
        """Store the state now: at the end of a window, and before an error propagates."""
        ...


ClipCallback = Callable[[int, int, torch.Tensor], None]
"""Called after each step with (window 0-based, steps done in it, D as (1, frames, channels, h, w)). May raise."""


def begin(
    model: VideoModel,
    clip: SamplingParams,
    photo: Image.Image,
    prompt: Mapping[str, torch.Tensor] = MappingProxyType({}),
    last: Image.Image | None = None,
) -> SamplingState:
    """Encode the pictures and return the state before the first step.

    Args:
        model: The loaded model.
        clip: The parameters.
        photo: First picture, RGB, of the sampling size.
        prompt: The encoded prompt (`PromptEmbeds.tensors`); empty for a family without prompts.
        last: Last picture, likewise, for a family that supports it; None = the model decides.

    Raises:
        NotFinite: The model returned NaN or infinity.
    """
    generator = window_generator(clip.seed, 0)
    conditioning = {**prompt, **model.encode(photo, clip.family_options, generator, last)}
    check_conditioning(*conditioning.values())
    return SamplingState(conditioning, generator.get_state(), model.latent_dtype)


def sample_clip(
    model: VideoModel,
    clip: SamplingParams,
    state: SamplingState,
    *,
    checkpoints: CheckpointSink,
    on_step: ClipCallback = lambda window, step, denoised: None,
) -> torch.Tensor:
    """Run the remaining steps of the clip.

    Args:
        model: The loaded model.
        clip: The parameters.
        state: From `begin` or from a checkpoint.
        checkpoints: Receives the states from which sampling can resume (`Effort.resumable`). The last one is stored
            before any exception propagates; Cancelled stores none, because the job will not resume.
        on_step: Called after each step with (window, steps done in it, D); may raise.

    Returns:
        Scaled latents (1, plan.sampled, channels, h, w).

    Raises:
        NotFinite: The model returned NaN or infinity.
    """
    state = _to(state, model)
    schedule = _schedule(model, clip)
    while state.window < clip.plan.count:
        state = _Window(model, clip, schedule, state, checkpoints, on_step).run()
        checkpoints.now(state)
    assert state.done is not None
    return state.done


@torch.no_grad()
def rehearse(model: VideoModel, clip: SamplingParams, state: SamplingState, last: bool = True) -> None:
    """Compute each kind of step of a window once, on noise, so that a compiler does its work now.

    Args:
        model: The loaded model.
        clip: The parameters.
        state: From `begin` or from a checkpoint; it is not changed.
        last: It is the video's last window, which has more tokens if it ends with a known picture.
    """
    state, schedule = _to(state, model), _schedule(model, clip)
    generator = torch.Generator("cpu").manual_seed(0)

    def draw_noise(shape: Sequence[int]) -> torch.Tensor:
        return draw(shape, generator, state.noise_dtype, model.device).to(model.latent_dtype)

    known = model.beginning(state.conditioning)
    pinned = 0 if known is None else known.shape[1]
    window = Window(schedule, clip.guidance, None, None, draw_noise, effort=clip.effort, pinned=pinned, last=last)
    denoiser = model.denoiser(state.conditioning, clip.family_options, window)
    x = model.noise(clip.plan.frames, clip.width, clip.height, draw_noise)
    for step in clip.effort.telling_steps(schedule.sigmas[:-1].tolist()):
        denoiser(x, schedule.sigmas[step])


def _schedule(model: VideoModel, clip: SamplingParams) -> NoiseSchedule:
    return model.schedule(clip.steps, clip.schedule, clip.plan.frames, clip.width, clip.height)


class _Window:
    """Sample one window, from its current state to the start of the next window."""

    def __init__(
        self,
        model: VideoModel,
        clip: SamplingParams,
        schedule: NoiseSchedule,
        state: SamplingState,
        checkpoints: CheckpointSink,
        on_step: ClipCallback,
    ) -> None:
        self.model = model
        self.clip = clip
        self.schedule = schedule
        self.state = state
        self.checkpoints = checkpoints
        self.on_step = on_step
        self.solver = solver(schedule, state.history, self._step_noise)

    def run(self) -> SamplingState:
        clip, state = self.clip, self.state
        generator = torch.Generator("cpu")
        generator.set_state(state.rng)
        draw_noise = partial(self._noise, generator)
        known = self._known()
        denoiser = self._denoiser(draw_noise, 0 if known is None else known.shape[1])
        noise = self.model.noise(clip.plan.frames, clip.width, clip.height, draw_noise)
        x = state.x if state.x is not None else noise * self.schedule.init_sigma
        pin = None
        if known is not None:
            pin = Pin(known, noise[:, : known.shape[1]])
            if state.step == 0:
                x = pin.hold(x, self.schedule.sigmas[0], denoiser)
            if clip.options.pin == "start" and state.window:
                pin = None
        try:
            x = denoise(
                denoiser,
                x,
                self.schedule.sigmas,
                first=state.step,
                pin=pin,
                solver=self.solver,
                on_step=self._step,
            )
        except Cancelled:
            raise
        except BaseException:
            self.checkpoints.now(self.state)
            raise
        return self._next(x)

    def _step(self, step: int, x: torch.Tensor, denoised: torch.Tensor) -> None:
        check_latents(x, step, self.schedule.steps)
        if self.clip.effort.resumable(step, self.schedule.steps):
            self.state = replace(self.state, step=step, x=x, history=self.solver.history)
            self.checkpoints.step(self.state)
        self.on_step(self.state.window, step, denoised)

    def _known(self) -> torch.Tensor | None:
        """Return the latents of the window's first frames if they are known: from the earlier window or the photo."""
        if not self.state.window:
            return self.model.beginning(self.state.conditioning)
        assert self.state.done is not None
        return self.state.done[:, -self.clip.plan.overlap :]

    def _denoiser(self, draw_noise: Callable[[Sequence[int]], torch.Tensor], pinned: int) -> Denoiser:
        """Create the window's denoiser. The first window starts from the photo; later ones may start from latents."""
        clip, state, options = self.clip, self.state, self.clip.options
        start, guidance = None, clip.guidance
        if state.window:
            guidance = guidance.capped(options.guidance_cap)
            if options.condition != "photo":
                assert state.done is not None
                start = state.done[:, -clip.plan.overlap if options.condition == "overlap" else -1]
        last = state.window == clip.plan.count - 1
        window = Window(
            self.schedule,
            guidance,
            start,
            options.noise_aug,
            draw_noise,
            effort=clip.effort,
            pinned=pinned,
            last=last,
            before=state.done,
            frames=clip.plan.frames,
            spare=clip.plan.spare if last else 0,
        )
        return self.model.denoiser(state.conditioning, clip.family_options, window)

    def _noise(self, generator: torch.Generator, shape: Sequence[int]) -> torch.Tensor:
        return draw(shape, generator, self.state.noise_dtype, self.model.device).to(self.model.latent_dtype)

    def _step_noise(self, step: int, shape: Sequence[int]) -> torch.Tensor:
        return self._noise(step_generator(self.clip.seed, self.state.window, step), shape).to(torch.float32)

    def _next(self, x: torch.Tensor) -> SamplingState:
        window = self.state.window + 1
        rng = window_generator(self.clip.seed, window).get_state()
        done = join(self.state.done, x, self.clip)
        return replace(self.state, window=window, step=0, x=None, rng=rng, done=done, history={})


def join(done: torch.Tensor | None, x: torch.Tensor, clip: SamplingParams) -> torch.Tensor:
    """Append a finished window to the clip.

    Args:
        done: Latents of the earlier windows, (1, n, channels, h, w); None for the first window.
        x: Latents of the window, (1, frames, channels, h, w).
        clip: The parameters: overlap, and how windows are joined.

    Returns:
        (1, n + frames - overlap, channels, h, w).
    """
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
    """Move the new frames' channels to the first window's mean and deviation, fading in from the seam."""
    mean, std = _statistics(window)
    mean0, std0 = _statistics(first)
    moved = (fresh - mean) * (std0 / std) + mean0
    count = fresh.shape[1]
    ramp = (torch.arange(1, count + 1, device=fresh.device) / (options.fade + 1)).clamp(max=1).to(fresh.dtype)
    return torch.lerp(fresh, moved, options.match * ramp.view(1, -1, 1, 1, 1))


def _statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    over = (0, 1, 3, 4)
    return x.mean(over, keepdim=True), x.std(over, keepdim=True).clamp(min=1e-6)


def _to(state: SamplingState, model: VideoModel) -> SamplingState:
    """Move a state to the model's device, and its floating-point tensors to the model's dtypes."""

    def move(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        return tensor.to(model.device, dtype if tensor.is_floating_point() else tensor.dtype)

    return replace(
        state,
        conditioning={name: move(tensor, model.dtype) for name, tensor in state.conditioning.items()},
        x=None if state.x is None else move(state.x, model.latent_dtype),
        done=None if state.done is None else move(state.done, model.latent_dtype),
        history={name: move(tensor, torch.float32) for name, tensor in state.history.items()},
    )
