"""One job from photo to video file: load, condition, sample, decode, encode; resumable at every moment."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import Cancelled
from ..messages import Message, msg, template
from ..presets import Presets
from ..settings import Settings
from .checkpoint import INTERVAL, Checkpoints
from .eta import JobClock, load_times, store_times
from .families import family
from .families.base import SIZE, MemoryPlan, ModelFolder, VideoModel, parts
from .families.forecast import forecast, tile_side
from .families.nan_checks import NotFinite
from .families.placement import Placement
from .hardware.free_memory import free_memory
from .hardware.machine import Machine
from .hardware.oom import is_oom, is_ram
from .hardware.vram import forbid_spilling
from .media.detail.detail import with_detail
from .media.detail.size import enlarged, photo_for_detail, too_small
from .media.encode import VideoEncoder
from .media.encoder_thread import EncoderThread
from .media.frame_checks import FrameGuard
from .media.interpolate import interpolate
from .media.photo.load import load_photo
from .media.sizes import fit_photo
from .media.upscale.files import UpscalerFile
from .media.upscale.sides import TileSides, take_smaller_tiles
from .media.upscale.steady import GaveUp, LearnedDetail
from .media.upscale.upscaler import Upscaler
from .memory.fallback import MemoryFallback
from .model_cache import ModelCache
from .preview import Previewer, fit_previewer
from .progress import Progress, ProgressCallback, Stage, ignore
from .request import VideoRequest, VideoResult
from .resolve import ResolvedRequest, resolve, with_plan
from .sampling.windowed import SamplingState, begin, sample_clip

log = logging.getLogger(__name__)

LONG_LOAD = 60.0
"""Seconds after which one is told that loading goes on."""

SMALL_PHOTO = template("The photo is small ({size}): it has no more detail than the model draws, so none is added.")

GAVE_UP = template(
    "The memory is too small for the upscaler {label}, even in the smallest tiles: what the photo does not give is "
    "enlarged plainly in this video. Close other programs, or choose a quicker upscaler."
)

RANDOM_MODEL = msg(
    "The model 'mini' is an untrained stand-in here: its pictures are coloured noise. "
    "Choose another model for real videos (fanslymotion models list)."
)


def produce(
    request: VideoRequest,
    *,
    model: ModelFolder,
    photo: Path,
    out: Path,
    work: Path,
    settings: Settings,
    presets: Presets,
    renderers: ModelCache,
    progress: ProgressCallback = ignore,
    record: dict[str, Any] | None = None,
    measures: dict[str, Any] | None = None,
    checkpoint_seconds: float = INTERVAL,
    machine: Machine | None = None,
    killed: Stage | None = None,
    upscaler: UpscalerFile | None = None,
) -> VideoResult:
    """Make the video `out` from the normalised `photo`; go on from the checkpoint in `work` when there is one.

    model: the folder that `request.model` means; upscaler: the file that `request.upscaler` does (`models.find`).
    progress: called in this thread at least at every step; Cancelled and HandBack that it raises pass through, and no
    partial file stays. record: what else the file's metadata shall say (the job's id), to everybody who gets the video.
    measures: filled with what tests and benches want to know (see `_Job.measures`).
    checkpoint_seconds: time between two checkpoints within a window; each window's end gets one anyway.
    machine: to plan the memory for; by default this one as it is now.
    killed: the stage in which the system killed the process of the last attempt because memory ran out.
    Raise BadInput, ModelError or RenderError with a sentence for the user; its notes say what had been tried. Out of
    memory is no error: the job steps down and goes on (`fallback.py`).
    """
    image = load_photo(photo)
    order = resolve(request, image.size, model, presets, upscaler=upscaler)
    ladder = MemoryFallback(request, image.size, model, presets, settings, work, machine, killed, upscaler)
    if killed in (Stage.DECODING, Stage.SAVING):
        take_smaller_tiles(work)
    while True:
        plan = ladder.plan
        if plan.device == "cuda":
            forbid_spilling(forecast(plan).limit, plan.machine.vram_total)
        job = _Job(with_plan(order, plan), plan, photo, image, out, work, settings, renderers, progress, record or {})
        go_on: Callable[[], object] | None = None
        try:
            result = job.run(checkpoint_seconds)
        except Exception as e:
            if is_oom(e):
                go_on = partial(ladder.step_down, job.stage, str(e) or type(e).__name__, is_ram(e))
            elif isinstance(e, NotFinite) and ladder.can_widen:
                go_on = partial(ladder.widen, job.stage)
            else:
                ladder.note(e)
                raise
        # Outside of `except`: the exception holds the frames, and those the tensors (pytorch #18853).
        if go_on is None:
            break
        del job
        renderers.forget_failed()
        free_memory()
        go_on()
    ladder.done(job.clock.seconds.get(Stage.SAMPLING, 0.0), job.sampled_share)
    if measures is not None:
        measures.update(job.measures, plan=ladder.plan)
    return replace(result, warnings=(*result.warnings, *ladder.warnings))


class _Job:
    """The stages of one job and what they share."""

    def __init__(
        self,
        order: ResolvedRequest,
        memory: MemoryPlan,
        photo: Path,
        image: Image.Image,
        out: Path,
        work: Path,
        settings: Settings,
        renderers: ModelCache,
        progress: ProgressCallback,
        record: dict[str, Any],
    ) -> None:
        self.order = order
        self.memory = memory
        self.stage = Stage.LOADING
        self.sampled_share = 0.0
        self.metadata = {**order.metadata(), "job": record}
        self.photo_file = photo
        self.image = image
        self.photo = fit_photo(image, (order.clip.width, order.clip.height), order.request.fit)
        self.trim = order.model.preset.trim
        self.out = out
        self.work = work
        self.settings = settings
        self.renderers = renderers
        self.progress = progress
        self.warnings: list[Message] = []
        self.measures: dict[str, Any] = {}
        """resumed: (window, step) it was taken up at, or None. frames_sha256: of the decoded frames. latents: theirs.

        checkpoint_seconds: spent on writing checkpoints."""
        plan, steps = order.clip.plan, order.clip.steps
        self.clock = JobClock(
            {
                Stage.LOADING: 1,
                Stage.CONDITIONING: 1,
                Stage.SAMPLING: plan.count * steps,
                Stage.DECODING: order.frames,
                Stage.SAVING: 1,
            }
        )

    def run(self, checkpoint_seconds: float) -> VideoResult:
        renderer = self._load()
        key = self.order.key(self.photo_file, renderer.fingerprint, renderer.arithmetic)
        keeper = Checkpoints(self.work, key, self._note, checkpoint_seconds)
        state = self._condition(renderer, keeper)
        latents = self._sample(renderer, keeper, state)
        self._film(renderer, latents)
        self.measures["checkpoint_seconds"] = keeper.seconds
        return self._result(renderer)

    def _load(self) -> VideoModel:
        model, clock = self.order.model, self.clock
        if model.random:
            self._warn(RANDOM_MODEL)
        log.info("Getting renderer... %s from %s", model.name, model.folder)
        placement = Placement.of(self.memory)
        if self.renderers.is_warm(model, placement):
            clock.skip(Stage.LOADING)
        else:
            clock.enter(Stage.LOADING)

        count = len(parts(family(model.preset.family)))
        began, told = time.monotonic(), False

        def on_part(part: str, done: int) -> None:
            nonlocal told
            self._report(Progress(Stage.LOADING, step=done, steps=count))
            if not told and time.monotonic() - began > LONG_LOAD:
                told = True
                log.info(
                    "FM-MODEL-007: The model is still loading (%s, part %d of %d). A first load from a slow disk can "
                    "take 5 to 10 minutes; there is no time limit",
                    part.replace("_", " "),
                    done + 1,
                    count,
                )

        self._report(Progress(Stage.LOADING, steps=count))
        renderer = self.renderers.get(model, on_part, placement)
        renderer.prepare(self.memory)
        clock.leave()
        clip = self.order.clip
        self.kind = f"{model.name} {clip.width}x{clip.height} {renderer.placement}"
        if self.order.upscaler is not None:
            self.kind += f" {self.order.upscaler.name}"
        clock.known.update(load_times(self._times, self.kind))
        self.chunk = self.memory.decode_chunk
        return renderer

    def _condition(self, renderer: VideoModel, keeper: Checkpoints) -> SamplingState:
        """The photo as the model sees it, or the state a checkpoint holds."""
        self._report(Progress(Stage.CONDITIONING, steps=1))
        saved = keeper.load()
        self.measures["resumed"] = (saved.state.window, saved.state.step) if saved else None
        if saved:
            self.clock.skip(Stage.CONDITIONING)
            self.chunk = min(self.chunk, int(saved.note["decode_chunk"]))
            self._log_resumed(saved.state)
            state = saved.state
        else:
            self.clock.enter(Stage.CONDITIONING)
            state = begin(renderer, self.order.clip, self.photo)
            self.clock.leave()
            self._report(Progress(Stage.CONDITIONING, step=1, steps=1))
        stored, fps = self.order.model.preset.latent_rgb, self.order.fps // self.order.interpolation
        self.previewer = (
            Previewer.from_preset(stored, fps)
            if stored
            else fit_previewer(renderer.preview_latents(state.conditioning), self.photo, fps)
        )
        return state

    def _sample(self, renderer: VideoModel, keeper: Checkpoints, state: SamplingState) -> torch.Tensor:
        plan, steps = self.order.clip.plan, self.order.clip.steps
        whole = plan.count * steps

        def on_step(window: int, step: int, denoised: torch.Tensor) -> None:
            x0, total = denoised[0], window * steps + step
            self.clock.done(total)
            self._report(
                Progress(
                    Stage.SAMPLING,
                    step=total,
                    steps=whole,
                    window=window + 1,
                    windows=plan.count,
                    x0=x0,
                    preview=lambda: self.previewer.webp(x0),
                )
            )

        done = state.window * steps + state.step
        self.sampled_share = 1 - done / whole
        self.clock.enter(Stage.SAMPLING, done)
        if done < whole:
            self._report(Progress(Stage.SAMPLING, step=done, steps=whole, window=state.window + 1, windows=plan.count))
        latents = sample_clip(renderer, self.order.clip, state, keeper=keeper, on_step=on_step)
        self.clock.leave()
        return latents

    def _detail(self) -> np.ndarray | None:
        """The photo as the first frame shows it, at the output's size; None where no detail is to come from it."""
        order, clip = self.order, self.order.clip
        if not order.request.detail:
            return None
        drawn, size, fit = (clip.width, clip.height), (order.width, order.height), order.request.fit
        if enlarged(drawn, self.trim, size) and too_small(self.image.size, drawn, fit):
            self._warn(Message(SMALL_PHOTO, {"size": f"{self.image.width}×{self.image.height}"}))
            return None
        return np.asarray(photo_for_detail(self.image, drawn, self.trim, size, fit))

    def _learned(self) -> LearnedDetail | None:
        """What the wished upscaler adds; None without one, and where nothing is enlarged."""
        order, file = self.order, self.order.upscaler
        size = order.width, order.height
        if file is None or not enlarged((order.clip.width, order.clip.height), self.trim, size):
            return None
        device = self.memory.device
        number = file.network.number_bytes(device, self.memory.machine.cpu_bf16)
        key = f"{file.fingerprint} {order.clip.width}x{order.clip.height} {size} {device} {number}"
        sides = TileSides(self.work, key, tile_side(self.memory))
        if sides.given_up:
            self._warn(Message(GAVE_UP, {"label": file.preset.label}))
            return None
        return LearnedDetail(Upscaler(file, device, number), size, sides, self._warn)

    def _film(self, renderer: VideoModel, latents: torch.Tensor) -> None:
        """Make the file; a second time, from its beginning, when the upscaler has found no memory at all."""
        detail = self._detail()
        try:
            self._filmed(renderer, latents, detail, self._learned())
            return
        except GaveUp:
            assert self.order.upscaler is not None
            self._warn(Message(GAVE_UP, {"label": self.order.upscaler.preset.label}))
        free_memory()
        self._filmed(renderer, latents, detail, None)

    def _filmed(
        self, renderer: VideoModel, latents: torch.Tensor, detail: np.ndarray | None, learned: LearnedDetail | None
    ) -> None:
        """Decode here, interpolate and encode on a thread beside it."""
        order = self.order
        guard, digest = FrameGuard(self.photo), hashlib.sha256()
        self.clock.enter(Stage.DECODING)
        count = 0
        # The windows may give a frame or two more than wanted: the first is the last one's neighbour in between.
        latents = latents[:, : order.frames + (order.interpolation > 1)]

        def report() -> None:
            self._report(Progress(Stage.DECODING, step=count, steps=order.frames))

        report()
        # What waits for an upscaler waits long: the fewer frames, the truer the time that is still shown.
        film = EncoderThread(partial(self._encode, detail, learned), depth=2 if learned else max(4, self.chunk))
        if learned:
            learned.between = film.check
        try:
            with film:
                for frames in renderer.decode(latents, self.chunk):
                    guard.check(frames, count)
                    digest.update(frames.data)
                    for frame in frames:
                        film.put(self._shown(frame), report)
                    count = min(count + len(frames), order.frames)
                    self.clock.done(count)
                    report()
                self.clock.enter(Stage.SAVING)
                self._report(Progress(Stage.SAVING, steps=1))
                film.finish(lambda: self._report(Progress(Stage.SAVING, steps=1)))
        except Cancelled:
            if film.finished:
                self.out.unlink(missing_ok=True)  # the cancel came while the file was being renamed
            raise
        self.clock.done(1)
        self.clock.leave()
        self.measures["frames_sha256"] = digest.hexdigest()
        self.measures["latents"] = latents

    def _shown(self, frame: np.ndarray) -> np.ndarray:
        t = self.trim
        return np.ascontiguousarray(frame[t : len(frame) - t, t : frame.shape[1] - t])

    def _encode(self, detail: np.ndarray | None, learned: LearnedDetail | None, frames: Iterator[np.ndarray]) -> None:
        """detail: the photo at the output's size. Without it and `learned` the encoder enlarges."""
        order = self.order
        size = order.clip.width - 2 * self.trim, order.clip.height - 2 * self.trim
        if detail is not None:
            frames, size = with_detail(frames, detail, learned and learned.add), (order.width, order.height)
        elif learned is not None:
            frames, size = learned.enlarge(frames), (order.width, order.height)
        with VideoEncoder(
            self.out,
            order.width,
            order.height,
            order.fps,
            source_size=size,
            metadata=self.metadata,
        ) as encoder:
            for frame in interpolate(frames, order.interpolation, order.shown):
                encoder.write(frame)

    def _result(self, renderer: VideoModel) -> VideoResult:
        order = self.order
        store_times(self._times, self.kind, self.clock.rates)
        return VideoResult(
            path=self.out,
            width=order.width,
            height=order.height,
            frames=order.shown,
            fps=order.fps,
            stage_seconds={stage.value: seconds for stage, seconds in self.clock.seconds.items()},
            warnings=tuple(self.warnings),
        )

    @property
    def _times(self) -> Path:
        return self.settings.home / "times.json"

    def _note(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the latents."""
        return {"decode_chunk": self.chunk, **{name: self.memory.settings[name] for name in SIZE}}

    def _report(self, moment: Progress) -> None:
        self.stage = moment.stage
        self.progress(replace(moment, fraction=self.clock.share, eta_seconds=self.clock.eta))

    def _warn(self, what: Message) -> None:
        self.warnings.append(what)
        log.warning("%s", what)

    def _log_resumed(self, state: SamplingState) -> None:
        plan, steps = self.order.clip.plan, self.order.clip.steps
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
