"""Recover from out-of-memory (and from NaN in fp16): switch to a cheaper plan, warn, resume from the checkpoint."""

import logging
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import RenderError
from ...messages import Message, codes, msg, template
from ...presets import Presets
from ...settings import Settings
from ..checkpoint import keep_note, newest_note
from ..families.base import SIZE, MemoryPlan, ModelFolder, Offload
from ..families.forecast import forecast, forecast_text
from ..families.plan import COMPILED, NAME_OF_DEVICE
from ..hardware import devices
from ..hardware.gpus import others
from ..hardware.machine import Machine
from ..hardware.measurements import Measurements
from ..media.upscale.files import UpscalerFile
from ..progress import Stage, log_change
from ..request import VideoRequest
from .compiling import compiled_if_able, record_compiled, record_failure, record_lost
from .history import PlanHistory
from .planner import LATENTS, after_oom_kill, describe_change, fit_to_checkpoint, next_fallback, plan, same_latents
from .request_plan import plan_request, watch

log = logging.getLogger(__name__)

COMPILER_AT_WORK = "compiling"
"""File in the work folder while the compiler works for the job: an attempt that finds it died of that."""


TO_FIT = {
    (True, True): template(
        "To fit this machine the video is generated without guidance and at {now} instead of {wanted}; "
        "the finished size stays."
    ),
    (True, False): template(
        "To fit this machine the video is generated at {now} instead of {wanted}; the finished size stays."
    ),
    (False, True): template("To fit this machine the video is generated without guidance."),
}
"""What is said at the beginning: whether it is smaller, and whether it is without guidance."""


class MemoryFallback:
    """Hold the plan of one job, from the best one that fits to the last fallback. The job's checkpoint stores it.

    Args:
        request: The request.
        photo_size: Width and height of the photo, pixels.
        model: The model's folder.
        presets: All presets.
        settings: The folder of measurements, and whether models may be compiled.
        work: The job's work folder, with its checkpoints.
        machine: The machine to plan for; None = this one.
        killed: Stage in which the system killed the previous attempt's process for lack of memory, or None.
        upscaler: The file of `request.upscaler`.
        can_compile: Compiling has not failed in this process.
        ends: The video ends with a picture of its own.

    Attributes:
        plan: The current plan.
        model: Name under which the model's measurements are stored.
        warnings: Plan changes, for the user.
        begun_compiled: The checkpoint may hold latents that were sampled compiled.
    """

    def __init__(
        self,
        request: VideoRequest,
        photo_size: tuple[int, int],
        model: ModelFolder,
        presets: Presets,
        settings: Settings,
        work: Path,
        machine: Machine | None = None,
        killed: Stage | None = None,
        upscaler: UpscalerFile | None = None,
        can_compile: bool = True,
        ends: bool = False,
    ) -> None:
        self._machine = machine
        self.warnings: list[Message] = []
        self._memory = PlanHistory(settings)
        self._measurements = Measurements(settings.home)
        self._setting, self._can_compile = settings.compile, can_compile
        self.begun_compiled = self._sampled = False
        self._work = work
        self._first = plan_request(
            request, photo_size, model, presets, settings, upscaler=upscaler, machine=machine, ends=ends
        )
        self.model = self._first.model.name
        self._learned = self._inherited = False
        self._gave_nan: MemoryPlan | None = None
        """The first plan, with whose 16-bit numbers the GPU gave NaN: the later one may be for the CPU."""
        self._short: dict[str, int] = {}
        self._failed: list[dict[str, Any]] = []
        """Settings of the plans whose memory ran out in this process."""
        self.plan = self._settle_compiling(self._start(killed))
        self._keep()
        self._say()

    def step_down(self, stage: Stage, error: str, ram: bool = False) -> bool:
        """Switch to the next cheaper plan after memory ran out.

        Args:
            stage: Stage in which it ran out.
            error: The error's text.
            ram: RAM ran out, not the GPU's memory.

        Returns:
            Whether the checkpoint can be resumed with the new plan.

        Raises:
            RenderError: There is no cheaper plan.
        """
        self._failed.append(self.plan.settings)
        below, holders = self._untried(stage, ram), "" if ram else self._holders()
        if below is None:
            end = RenderError(
                msg(
                    "the memory is too small for this video, even with everything turned down ({error}).{holders} "
                    "Close other programs, or choose a smaller resolution or another model",
                    error=error.splitlines()[0],
                    holders=holders,
                ),
                code=codes.MEMORY_WHILE_LOADING if stage is Stage.LOADING else codes.MEMORY,
            )
            self.note(end)
            raise end
        self._ran_out("ram_free" if ram or self.plan.device == "cpu" else "vram_free")
        before, self.plan = self.plan, compiled_if_able(below)
        self.begun_compiled = self.begun_compiled or before.compiled
        self._learned = not self._inherited
        self._warn_of_step(
            msg(
                "Out of memory while {doing}; going on with: {changes}.{holders}",
                doing=DOING[stage],
                changes=describe_change(before, self.plan),
                holders=holders,
            )
        )
        self._keep()
        return same_latents(before, below)

    def _untried(self, stage: Stage, ram: bool) -> MemoryPlan | None:
        """Return the next cheaper plan that has not failed. A plan for less RAM uses more VRAM, and vice versa."""
        below = next_fallback(self.plan, stage, ram)
        while below is not None and below.settings in self._failed:
            below = next_fallback(below, stage, ram)
        return below

    @property
    def can_use_float32(self) -> bool:
        """Whether the plan can switch from 16-bit numbers to fp32."""
        return self.plan.device != "cpu" and self.plan.dtype != "float32"

    def use_float32(self, stage: Stage) -> None:
        """Switch to fp32 after 16-bit numbers gave NaN at `stage`, as they do on GTX 16xx GPUs.

        Source: pytorch #58123, Stability-AI/generative-models #282.
        """
        before, first = self.plan, self._first
        self._first = plan(first.machine, first.model, first.work, "float32")
        self.plan = compiled_if_able(replace(fit_to_checkpoint(self._first, before.settings), compiled=before.compiled))
        self.begun_compiled = self.begun_compiled or before.compiled
        self._gave_nan = first
        self._warn_of_step(
            msg(
                "The graphics card gave numbers that are not finite (NaN) while {doing}; going on with: {changes}.",
                doing=DOING[stage],
                changes=describe_change(before, self.plan),
            )
        )
        self._keep()

    def stop_compiling(self, error: str) -> None:
        """Continue without compiling after it failed.

        Args:
            error: The compiler's message.
        """
        record_failure(self._measurements, self.plan)
        self.begun_compiled = True
        self.plan = replace(self.plan, compiled=False)
        self._warn_of_step(
            msg(
                "The model cannot be compiled for this card ({error}); going on without, which takes longer.",
                error=error,
            )
        )
        self._keep()

    def note_compiled(self, seconds: float) -> None:
        """Record that this process has compiled the model, and how long it took."""
        record_compiled(self._measurements, self.plan, seconds)

    def note(self, error: Exception) -> None:
        """Add the plan changes to an error as notes."""
        for warning in self.warnings:
            error.add_note(warning)

    def done(self, sampling_seconds: float, share: float) -> None:
        """Record the plan that worked, and its speed, after the job has succeeded.

        Args:
            sampling_seconds: Of the sampling in this attempt.
            share: Share of the whole sampling that this attempt did, 0 to 1.
        """
        if self._gave_nan is not None:
            self._memory.remember_float32(self._gave_nan, self.model)
        if self._learned:
            self._memory.remember(self._first, self.plan, self.model, self._short)
        if self._setting != "never":
            record_lost(self._measurements, self.plan, sampling_seconds)
        if share > 0.5:
            self._memory.record_speed(self.plan, sampling_seconds, share)

    def _start(self, killed: Stage | None) -> MemoryPlan:
        """Plan at the size of the job's checkpoint, below the plan that was killed."""
        kept = newest_note(self._work)
        before, today = kept.values.pop(NAME_OF_DEVICE, ""), self._first
        self.begun_compiled = bool(kept.values.pop(COMPILED, False)) and kept.sampled
        self._sampled = kept.sampled
        if kept.sampled:
            with suppress(KeyError):  # of another version
                today = fit_to_checkpoint(today, kept.values)
                today = replace(today, decode_chunk=min(today.decode_chunk, kept.values["decode_chunk"]))
        # The size of an earlier attempt is kept, but not remembered as necessary: more memory may be free now.
        self._inherited = any(getattr(today, name) != getattr(self._first, name) for name in SIZE)
        if kept.sampled and before not in ("", today.device_name):
            self._warn(
                msg(
                    "This job ran on {before} before and goes on with {now}: the frames generated from here on may "
                    "differ slightly from those that {before} would have generated.",
                    before=before,
                    now=today.device_name,
                )
            )
        tried = self._tried(kept.values) if killed else None
        if tried is None or killed is None or tried.device != today.device:
            return today
        self._learned = True
        self._short = {"ram_free": self._first.machine.ram_free}
        below = after_oom_kill(tried, killed)
        if below is None:
            self._warn(
                msg(
                    "The system ended the worker while {doing}: memory ran out. No setting that needs less memory "
                    "is left; it is tried again unchanged.",
                    doing=DOING[killed],
                )
            )
            return tried
        if forecast(today).ram < forecast(below).ram:
            return today
        self._warn_of_step(
            msg(
                "The system ended the worker while {doing}: memory ran out. Going on with: {changes}.",
                doing=DOING[killed],
                changes=describe_change(tried, below),
            )
        )
        return below

    def _settle_compiling(self, today: MemoryPlan) -> MemoryPlan:
        """Compile if the job has begun so, or begins now and it pays. Never after an attempt that died of it."""
        wanted = self.begun_compiled if self._sampled else self._first.compiled
        mark = self._work / COMPILER_AT_WORK
        if died := mark.exists():
            record_failure(self._measurements, today)
            self._can_compile = False
            with suppress(OSError):
                mark.unlink()
        able = self._can_compile and self._setting != "never"
        found = compiled_if_able(replace(today, compiled=wanted and able, compiling=self._first.compiling))
        if died:
            self._warn(
                msg(
                    "The worker ended while the model was compiled for this card; going on without, which takes longer."
                )
            )
        elif self.begun_compiled and not found.compiled:
            self._warn(
                msg(
                    "This job has begun with a compiled model and goes on without: the frames generated from here on "
                    "may differ slightly."
                )
            )
        return found

    def _ran_out(self, name: str) -> None:
        """Record how much memory is free now: another program may have taken some since the start."""
        own = frozenset([os.getpid()])
        now = self._machine or devices.machine(watch, own=own, cuda=devices.Cuda.here())
        free = getattr(now, name)
        self._short[name] = min(free, self._short.get(name, free))

    def _tried(self, kept: dict[str, Any]) -> MemoryPlan | None:
        try:
            return replace(self._first, **(kept | {"offload": Offload(kept["offload"])}))
        except (ValueError, KeyError, TypeError):
            return None

    def _keep(self) -> None:
        kept = newest_note(self._work)
        # What there is of latents stays what it is.
        compiled = bool(kept.values.get(COMPILED, False)) if kept.sampled else self.plan.compiled
        try:
            keep_note(self._work, self.plan.note | {COMPILED: compiled}, LATENTS)
        except OSError as e:
            log.debug("The plan was not written to %s: %s", self._work, e)

    def _say(self) -> None:
        plan = self.plan
        log.info(
            "Memory plan: %s, %s, %d×%d, %s",
            plan.placement,
            plan.dtype,
            plan.width,
            plan.height,
            forecast_text(forecast(plan)),
        )
        if plan.shrunk:
            work = plan.work
            smaller, unguided = (plan.width, plan.height) != (work.width, work.height), work.guided and not plan.guided
            sizes = {"now": f"{plan.width}×{plan.height}", "wanted": f"{work.width}×{work.height}"}
            if smaller or unguided:
                self._warn(Message(TO_FIT[smaller, unguided], sizes if smaller else {}))

    def _warn(self, what: Message) -> None:
        self.warnings.append(what)
        log.warning("%s", what)

    def _warn_of_step(self, what: Message) -> None:
        """Warn of a plan change, and store it with the job: it is still known if the worker dies later."""
        self.warnings.append(what)
        log_change(log, what)

    def _holders(self) -> Message | str:
        """Name the other programs that hold video memory, in a sentence; "" if there are none or no GPU is used."""
        sample = watch.sample() if self.plan.device == "cuda" else None
        found = others(sample, frozenset({os.getpid()})) if sample else ()
        named = [f"{p.name} ({p.memory >> 20} MB)" if p.memory else p.name for p in found[:3]]
        return msg(" Video memory is held by {names}.", names=", ".join(named)) if named else ""


DOING = {
    Stage.LOADING: msg("loading the model"),
    Stage.CONDITIONING: msg("encoding the photo"),
    Stage.SAMPLING: msg("generating"),
    Stage.DECODING: msg("decoding"),
    Stage.SAVING: msg("saving"),
}
