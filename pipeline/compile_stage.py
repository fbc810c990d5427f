"""Compile a model before a job's first step, by computing each kind of step and one decoder chunk on noise.

So a compiler error costs no sampled step, the user sees that the model is being compiled, and the measured times of
steps do not contain it.
"""

import logging
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from ..errors import Cancelled, FanslymotionError, HandBack
from .families import family
from .families.base import VideoModel
from .families.nan_checks import NotFinite
from .families.weights.compiling import CompilingFailed, end_workers
from .hardware.malloc import free_memory
from .hardware.oom import is_oom
from .hardware.vram import is_driver_failure
from .memory.fallback import COMPILER_AT_WORK
from .progress import Progress, Stage
from .sampling.windowed import SamplingState, rehearse
from .stages import Attempt

log = logging.getLogger(__name__)

PART = "compiler"
"""Name of this part of loading."""
WATCH_SECONDS = 1.0
"""How often it is asked, while the compiler is at work, whether the job is still wanted."""
PASS = (FanslymotionError, Cancelled, HandBack, NotFinite)
"""What has nothing to do with compiling."""


def compile_model(attempt: Attempt, model: VideoModel, state: SamplingState) -> float:
    """Compile what the job needs and this process has not compiled yet.

    Args:
        attempt: The attempt.
        model: The loaded model, set to compute compiled.
        state: Where sampling begins or resumes.

    Returns:
        Seconds spent on compiling; 0 if there was nothing to do.

    Raises:
        CompilingFailed: Compiling failed, or its result cannot be run.
    """
    compiled, clip, memory = model.compiled, attempt.resolved.clip, attempt.memory
    if compiled is None:
        return 0.0
    wanted = attempt.resolved.decoded_latents
    size = (clip.width, clip.height)
    steps: tuple[Hashable, ...] = (*size, clip.plan.frames, clip.guidance, clip.steps, clip.schedule, clip.effort)
    chunk: Hashable = (*size, wanted, memory.decode_chunk)
    ends = [one for one in _ends(attempt, state) if (*steps, one) not in compiled.ready]
    decoder = chunk not in compiled.ready and _decoder_too(attempt)
    if not ends and not decoder:
        return 0.0
    attempt.compiled_here = True
    attempt.clock.enter(Stage.LOADING)
    if memory.compiling:
        log.info("Compiling the model for this card: once, about %.0f s", memory.compiling)
    began = time.monotonic()
    with _marked(attempt):
        for end in ends:
            attempt.report(Progress(Stage.LOADING, step=0, steps=2, part=PART))
            with _failing_as(attempt, Stage.SAMPLING):
                rehearse(model, clip, state, last=end)
                _wait(model.device)
            compiled.ready.add((*steps, end))
        if decoder:
            attempt.report(Progress(Stage.LOADING, step=1, steps=2, part=PART))
            with _failing_as(attempt, Stage.DECODING):
                next(iter(model.decode(_noise(model, state, attempt, wanted), memory.decode_chunk)))
                _wait(model.device)
            compiled.ready.add(chunk)
    seconds = time.monotonic() - began
    attempt.clock.leave()
    end_workers()
    free_memory()
    log.info("The model is compiled, after %.0f s", seconds)
    return seconds


def _ends(attempt: Attempt, state: SamplingState) -> list[bool]:
    """Return the kinds of windows that are left: without, and with the known picture that the video may end with."""
    left = attempt.resolved.clip.plan.count - state.window
    if not attempt.memory.work.ends:
        return [False] if left else []
    return [False, True] if left > 1 else [True] if left else []


def _decoder_too(attempt: Attempt) -> bool:
    return any(path.startswith("vae") for path in family(attempt.resolved.model.preset.family).blocks)


def _noise(model: VideoModel, state: SamplingState, attempt: Attempt, frames: int) -> torch.Tensor:
    clip, generator = attempt.resolved.clip, torch.Generator("cpu").manual_seed(0)

    def draw(shape: object) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(model.device, model.latent_dtype)  # pyright: ignore[reportArgumentType, reportCallIssue]

    return model.noise(frames, clip.width, clip.height, draw)


@contextmanager
def _failing_as(attempt: Attempt, stage: Stage) -> Iterator[None]:
    """Attribute errors to the stage that is being compiled: out-of-memory then shrinks that stage."""
    try:
        yield
    except PASS:
        raise
    except Exception as e:
        if is_oom(e):
            attempt.stage = stage
            raise
        if is_driver_failure(e):
            raise
        raise CompilingFailed(str(e)) from e


@contextmanager
def _marked(attempt: Attempt) -> Iterator[None]:
    """Mark the work folder while the compiler runs: if the process dies, the next attempt does not compile.

    The compiler cannot be interrupted, so a worker that is asked to stop may be killed. That is not the compiler's
    fault: the mark is removed as soon as the job is cancelled or to be handed back.
    """
    mark, ended = attempt.work / COMPILER_AT_WORK, threading.Event()

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            if not attempt.is_wanted():
                _remove(mark)
                return

    with suppress(OSError):
        mark.touch()
    watcher = threading.Thread(target=watch, name="compiling", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        _remove(mark)


def _remove(mark: Path) -> None:
    with suppress(OSError):
        mark.unlink(missing_ok=True)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
