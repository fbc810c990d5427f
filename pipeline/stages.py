"""Run a job's stages up to its latents: load the model, encode prompt and photo, sample."""

import logging
import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..errors import Cancelled, HandBack
from ..messages import Message, msg, template
from .checkpoint import Checkpoints
from .eta import JobClock
from .families import family
from .families.base import MemoryPlan, VideoModel, parts
from .families.forecast import forecast, measurements, pace, step_weights, units
from .families.nan_checks import check_conditioning
from .families.placement import Placement
from .families.prompts import PromptCache, PromptEmbeds
from .hardware.malloc import free_memory
from .hardware.measurements import Measurements, Record
from .hardware.vram import peak_since_last
from .media.sizes import fit_photo
from .model_cache import ModelCache, run_beside
from .progress import Progress, ProgressCallback, Stage
from .resolve import ResolvedRequest
from .sampling.preview import Previewer, fit_previewer
from .sampling.windowed import SamplingState, begin, sample_clip

log = logging.getLogger(__name__)

LONG_LOAD = 60.0
"""Seconds after which one is told that loading goes on."""

RANDOM_MODEL = msg(
    "The model 'mini' is an untrained stand-in here: its pictures are coloured noise. "
    "Choose another model for real videos (fanslymotion models list)."
)

CUT = template("The prompt is too long for the model; its end was left out: «{cut}».")
CUT_SHOWN = 80
"""Letters of it that are quoted."""


class Attempt:
    """One attempt at a job under one memory plan: the state that its stages share.

    Attributes:
        resolved: The request, resolved for the plan.
        memory: The plan.
        placement: Device, dtype and offload of the model.
        image: The photo at its own size, RGB.
        photo: First picture of the video, cropped or padded to the sampling size.
        last: Last picture of the video, likewise; None = the model decides.
        work: The job's work folder.
        stage: The current stage.
        sampled_share: Share of the sampling that this attempt does itself, 0..1; the rest is from a checkpoint.
        compiled_here: This attempt compiled the model, which counts as loading.
        warnings: For the user.
        measures: For tests and benchmarks. `resumed`: (window, step) of the checkpoint, or None; `frames_sha256`: hash
            of the decoded frames; `latents`; `checkpoint_seconds`: time spent on writing checkpoints.
        clock: Measures the stages and estimates the time left.
    """

    def __init__(
        self,
        resolved: ResolvedRequest,
        memory: MemoryPlan,
        image: Image.Image,
        work: Path,
        progress: ProgressCallback,
        last: Image.Image | None = None,
    ) -> None:
        clip, request = resolved.clip, resolved.request
        self.resolved = resolved
        self.memory = memory
        self.placement = Placement.of(memory)
        self.image = image
        fit = partial(fit_photo, size=(clip.width, clip.height), fit=request.fit, position=request.centre)
        self.photo = fit(image)
        self.last = None if last is None else fit(last)
        self.work = work
        self.stage = Stage.LOADING
        self.sampled_share = 0.0
        self.compiled_here = False
        self.warnings: list[Message] = []
        self.measures: dict[str, Any] = {}
        expected = forecast(memory)
        self.clock = JobClock(
            units(memory),
            known=pace(memory, expected),
            peak=peak_since_last,
            measured=expected.measured,
            shared=memory.device == "cpu",
        )
        self._progress, self._reported = progress, Progress(Stage.LOADING)

    def report(self, moment: Progress) -> None:
        """Report progress, with the share that is done and the time left."""
        self.stage = moment.stage
        clock = self.clock
        self._reported = replace(moment, fraction=clock.share, eta_seconds=clock.eta, extrapolation=clock.extrapolation)
        self._progress(self._reported)

    def is_wanted(self) -> bool:
        """Tell whether the job is neither cancelled nor to be handed back. Safe in any thread."""
        try:
            self._progress(replace(self._reported, preview=None, message=""))
        except (Cancelled, HandBack):
            return False
        return True

    def leave_out_upscaler(self) -> None:
        """Plan the frames without the upscaler, which has found no memory: what is measured is a plain video."""
        plain = replace(self.memory.work, upscaler=None, upscaler_name="")
        self.memory = replace(self.memory, work=plain)
        expected = pace(self.memory)
        self.clock.start_over({stage: expected[stage] for stage in (Stage.DECODING, Stage.SAVING)})

    def record(self, store: Measurements) -> None:
        """Store the measurements of the stages for later forecasts."""
        taken = self.clock.figures()
        if self.compiled_here:
            taken.pop(Stage.LOADING, None)
        figures = measurements(self.memory, taken)

        def act(known: Record) -> None:
            for key, figure in figures.items():
                known.add_figure(key, figure)

        store.change(act)

    def warn(self, what: Message) -> None:
        """Log a warning and add it to the result."""
        self.warnings.append(what)
        log.warning("%s", what)


@dataclass(frozen=True)
class Encoded:
    """The input of sampling.

    Attributes:
        state: Where sampling begins or resumes.
        previewer: Converts latents to previews.
    """

    state: SamplingState
    previewer: Previewer


def load(attempt: Attempt, model_cache: ModelCache) -> VideoModel:
    """Load the model, or take it from the cache."""
    model, clock = attempt.resolved.model, attempt.clock
    if model.random:
        attempt.warn(RANDOM_MODEL)
    log.info("Getting renderer... %s from %s", model.name, model.folder)
    if model_cache.is_warm(model, attempt.placement):
        clock.skip(Stage.LOADING)
    else:
        clock.enter(Stage.LOADING)

    count = len(parts(family(model.preset.family)))
    began, told = time.monotonic(), False

    def on_part(part: str, done: int) -> None:
        nonlocal told
        attempt.report(Progress(Stage.LOADING, step=done, steps=count, part=part if done < count else ""))
        if not told and time.monotonic() - began > LONG_LOAD:
            told = True
            log.info(
                "FM-MODEL-007: The model is still loading (%s, part %d of %d). A first load from a slow disk can "
                "take 5 to 10 minutes; there is no time limit",
                part.replace("_", " "),
                done + 1,
                count,
            )

    attempt.report(Progress(Stage.LOADING, steps=count))
    loaded = model_cache.get(model, on_part, attempt.placement)
    loaded.prepare(attempt.memory)
    model_cache.compiler.suit(loaded, family(model.preset.family).blocks, attempt.memory.compiled)
    clock.leave()
    return loaded


def encode_prompt(attempt: Attempt, model_cache: ModelCache, cache: PromptCache) -> PromptEmbeds:
    """Encode the prompt, or read its embedding from the disk cache. Empty for a family without a prompt.

    A text encoder is larger than most models, so a loaded model is released first.
    """
    model, clip, clock = attempt.resolved.model, attempt.resolved.clip, attempt.clock
    kind = family(model.preset.family)
    key = kind.prompt_key(model, clip.family_options)
    if not key:
        return PromptEmbeds()
    prompt = cache.read(key)
    if prompt is None:
        clock.enter(Stage.LOADING)
        model_cache.release()
        log.info("Encoding the prompt with the text encoder of %s", model.name)
        count = len(parts(kind))

        def report() -> None:
            attempt.report(Progress(Stage.LOADING, steps=count, part="text_encoder"))

        prompt = run_beside(lambda: kind.encode_prompt(model, clip.family_options, attempt.placement), report)
        free_memory()
        clock.leave()
        check_conditioning(*prompt.tensors.values())
        cache.write(key, prompt)
    if prompt.cut:
        attempt.warn(Message(CUT, {"cut": shortened(prompt.cut)}))
    return prompt


def encode(attempt: Attempt, model: VideoModel, checkpoints: Checkpoints, prompt: PromptEmbeds) -> Encoded:
    """Encode the pictures, or read the state of sampling from a checkpoint."""
    resolved, clock = attempt.resolved, attempt.clock
    attempt.report(Progress(Stage.CONDITIONING, steps=1))
    saved = checkpoints.load()
    attempt.measures["resumed"] = (saved.state.window, saved.state.step) if saved else None
    if saved:
        clock.skip(Stage.CONDITIONING)
        _log_resumed(saved.state, resolved)
        state = saved.state
    else:
        clock.enter(Stage.CONDITIONING)
        state = begin(model, resolved.clip, attempt.photo, prompt.tensors, attempt.last)
        clock.leave()
        attempt.report(Progress(Stage.CONDITIONING, step=1, steps=1))
    checkpoints.note = lambda: attempt.memory.note
    stored = resolved.model.preset.latent_rgb
    fps = resolved.fps / resolved.interpolation / family(resolved.model.preset.family).geometry.stride
    if stored:
        return Encoded(state, Previewer.from_preset(stored, fps))
    return Encoded(state, fit_previewer(model.preview_latents(state.conditioning), attempt.photo, fps))


def sample(attempt: Attempt, model: VideoModel, checkpoints: Checkpoints, encoded: Encoded) -> torch.Tensor:
    """Run the remaining sampling steps. Return the latents (1, frames, channels, h, w)."""
    clip, state = attempt.resolved.clip, encoded.state
    plan, steps = clip.plan, clip.steps
    whole = plan.count * steps
    marks = [0.0, *accumulate(step_weights(attempt.memory))]

    def units_done(window: int, step: int) -> float:
        return window * marks[-1] + marks[step]

    def on_step(window: int, step: int, denoised: torch.Tensor) -> None:
        x0, total = denoised[0], window * steps + step
        attempt.clock.done(units_done(window, step))
        attempt.report(
            Progress(
                Stage.SAMPLING,
                step=total,
                steps=whole,
                window=window + 1,
                windows=plan.count,
                x0=x0,
                preview=lambda: encoded.previewer.webp(x0),
            )
        )

    done = state.window * steps + state.step
    units_before = units_done(state.window, state.step)
    attempt.sampled_share = 1 - units_before / units_done(plan.count, 0)
    attempt.clock.enter(Stage.SAMPLING, units_before)
    if done < whole:
        guidance = f"with guidance {clip.guidance.last:g}" if clip.guidance.on else "without guidance"
        log.info("Sampling: %d steps %s (%s)", steps, guidance, clip.schedule)
        attempt.report(Progress(Stage.SAMPLING, step=done, steps=whole, window=state.window + 1, windows=plan.count))
    latents = sample_clip(model, clip, state, checkpoints=checkpoints, on_step=on_step)
    attempt.clock.leave()
    return latents


def shortened(text: str) -> str:
    """Return a text on one line of at most CUT_SHOWN characters."""
    text = " ".join(text.split())
    return text if len(text) <= CUT_SHOWN else text[: CUT_SHOWN - 1] + "…"


def _log_resumed(state: SamplingState, resolved: ResolvedRequest) -> None:
    plan, steps = resolved.clip.plan, resolved.clip.steps
    if state.window == plan.count:
        log.info("Checkpoint found: resumed after sampling, at decoding")
    else:
        log.info(
            "Checkpoint found: resumed at window %d, step %d of %d (%d windows)",
            state.window + 1,
            state.step,
            steps,
            plan.count,
        )
