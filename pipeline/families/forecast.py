"""Forecast the memory and time of a plan: its family's cost model, corrected by this machine's measurements.

The form's estimate, the time left and the memory planner all use it. Without torch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..hardware.machine import device_key
from ..hardware.measurements import Figure, former_key
from ..hardware.units import CONTEXT, GIB
from ..progress import Stage
from ..windows import WindowPlan
from . import family
from .costs.calibration import Point, corrected, weighted
from .costs.finishing import limit
from .plan import Forecast, MemoryPlan, Offload
from .steps.effort import EVERYTHING

STAGES = (Stage.LOADING, Stage.CONDITIONING, Stage.SAMPLING, Stage.DECODING)
"""The stages that have a peak of their own."""

WORKER_START = 2.0
"""Seconds until a new worker takes its first job, torch's import among them. On two quiet cores of a server CPU."""

COMPILED_STEP = 0.75
"""What compiling leaves of a step's time, before that was measured: 0.434 of 0.590 s on an H100 (bench/RESULTS.md)."""

LENGTH = " frames"
"""End of the keys that tell the video's length."""

HELD = 1.05
"""What torch's allocator holds of a GPU's memory, over what was measured as allocated."""


def build_forecast(
    plan: MemoryPlan,
    peak: Callable[[MemoryPlan, Stage], int],
    ram: Callable[[MemoryPlan], int],
    seconds: Callable[[MemoryPlan], Mapping[Stage, float]],
) -> Forecast:
    """Build a forecast from a family's formulas.

    Args:
        plan: The plan.
        peak: Returns the peak bytes of a stage on the computing device.
        ram: Returns the bytes of RAM that the job takes while a GPU computes.
        seconds: Returns the seconds of each stage.
    """
    machine, peaks = plan.machine, {stage: peak(plan, stage) for stage in STAGES}
    if plan.device == "cpu":
        need, total = max(peaks.values()), machine.ram_total
    else:
        need, total = ram(plan), machine.vram_total
    return Forecast(plan.device, peaks, need, limit(plan), machine.ram_free, total, seconds(plan))


def forecast(plan: MemoryPlan) -> Forecast:
    """Forecast a plan on its machine: the formulas, corrected by measurements.

    Compiling precedes the first step and counts as loading.
    """
    found = _corrected(plan)
    if not plan.compiled or not plan.compiling:
        return found
    seconds = found.stage_seconds
    return replace(found, stage_seconds={**seconds, Stage.LOADING: seconds[Stage.LOADING] + plan.compiling})


def _corrected(plan: MemoryPlan) -> Forecast:
    found, machine = estimate(plan), plan.machine
    if not (machine.figures or machine.reached or machine.loaded):
        return found
    parts = _by_part(plan, found.stage_seconds)
    points = {stage: _points(plan, stage, parts[stage]) for stage in parts}
    seconds = dict(found.stage_seconds)
    for stage, expected in parts.items():
        taken = corrected(expected, points[stage]) if points[stage] else expected * _machine_pace(plan, stage)
        seconds[stage] = taken * _parts(plan, stage)
    measured = {stage for stage in points if points[stage]}
    if _reached(plan):
        measured.add(Stage.SAMPLING)
    if machine.loaded and machine.loaded == plan.model.name:
        seconds[Stage.LOADING] = 0.0
    peaks = {stage: highest for stage in found.peaks if (highest := _measured_peak(plan, stage))}
    return replace(found, peaks={**found.peaks, **peaks}, stage_seconds=seconds, measured=frozenset(measured))


def with_worker_start(found: Forecast) -> Forecast:
    """Return the forecast of a job whose worker must be started first, which counts as loading."""
    seconds = found.stage_seconds
    return replace(found, stage_seconds={**seconds, Stage.LOADING: seconds[Stage.LOADING] + WORKER_START})


def estimate(plan: MemoryPlan) -> Forecast:
    """Forecast a plan by its family's formulas alone."""
    found = family(plan.model.family).cost.forecast(plan)
    if not plan.compiled:
        return found
    seconds = found.stage_seconds
    return replace(found, stage_seconds={**seconds, Stage.SAMPLING: seconds[Stage.SAMPLING] * COMPILED_STEP})


def measurements(plan: MemoryPlan, taken: Mapping[Stage, Figure]) -> dict[str, Figure]:
    """Return the measurements of a job by their keys, each with the formulas' seconds for the same work.

    Args:
        plan: The job's plan.
        taken: Measurements by stage, in seconds per unit.
    """
    count, parts = units(plan), _by_part(plan, estimate(plan).stage_seconds)
    found: dict[str, Figure] = {}
    for stage, figure in taken.items():
        seconds = figure.seconds * count[stage] / _parts(plan, stage)
        found[figure_key(plan, stage)] = figure.model_copy(update={"seconds": seconds, "expected": parts[stage]})
    return found


def peak(plan: MemoryPlan, stage: Stage) -> int:
    """Return the peak bytes of a stage on the computing device: measured, else estimated."""
    return _measured_peak(plan, stage) or family(plan.model.family).cost.peak(plan, stage)


def windows(plan: MemoryPlan) -> WindowPlan:
    """Plan the windows in latent frames, as the request will be resolved."""
    return family(plan.model.family).geometry.windows(plan.work.frames, plan.window, period=plan.work.period)


def units(plan: MemoryPlan) -> dict[Stage, float]:
    """Return the number of units of each stage: steps of all windows, sampled frames; 1 for a stage without parts.

    A step that is computed only in part counts as its share of a full one.
    """
    work = plan.work
    return {
        Stage.LOADING: 1,
        Stage.CONDITIONING: 1,
        Stage.SAMPLING: windows(plan).count * sum(step_weights(plan)),
        Stage.DECODING: work.frames,
        Stage.SAVING: 1,
    }


def step_weights(plan: MemoryPlan) -> Sequence[float]:
    """Return the time of each step of a window, as a share of a full step."""
    if plan.work.effort == EVERYTHING:
        return [1.0] * plan.work.steps
    return family(plan.model.family).cost.step_weights(plan)


def pace(plan: MemoryPlan, expected: Forecast | None = None) -> dict[Stage, float]:
    """Return the forecast seconds per unit of each stage.

    Args:
        plan: The plan.
        expected: Its forecast, if it was computed before.
    """
    count = units(plan)
    return {stage: seconds / count[stage] for stage, seconds in (expected or forecast(plan)).stage_seconds.items()}


def _parts(plan: MemoryPlan, stage: Stage) -> float:
    """Return the number of measured parts of a stage: while sampling its units, whatever the length; else one."""
    return units(plan)[stage] if stage is Stage.SAMPLING else 1


def _by_part(plan: MemoryPlan, seconds: Mapping[Stage, float]) -> dict[Stage, float]:
    return {stage: taken / _parts(plan, stage) for stage, taken in seconds.items()}


def figure_key(plan: MemoryPlan, stage: Stage) -> str:
    """Return the key of a stage's measurement: device, model, and what in the plan decides the time.

    Portrait and landscape videos of one size share a key.
    """
    if stage in (Stage.DECODING, Stage.SAVING):
        return f"{_size_key(plan, stage)}|{plan.work.frames}{LENGTH}"
    return _size_key(plan, stage)


def _without_length(key: str) -> str:
    return key.rpartition("|")[0] if key.endswith(LENGTH) else key


def _group_key(plan: MemoryPlan, stage: Stage) -> str:
    """Return the common beginning of the keys whose measurements inform each other."""
    numbers = f"{plan.dtype} {plan.offload}"
    if plan.compiled and stage in (Stage.SAMPLING, Stage.DECODING, Stage.SAVING):
        numbers += " compiled"
    if stage in (Stage.DECODING, Stage.SAVING) and plan.work.upscaler_name:
        numbers += f" {plan.work.upscaler_name}"
    if stage is Stage.SAMPLING:
        numbers = ", ".join([numbers, *_left_out(plan)])
    return f"{device_key(plan.device, plan.machine.name, plan.machine.host)}|{plan.model.name}|{stage}|{numbers}"


def _size_key(plan: MemoryPlan, stage: Stage) -> str:
    """Return the key without the video's length, on which the memory does not depend."""
    work, parts = plan.work, [_group_key(plan, stage)]
    drawn = f"{max(plan.width, plan.height)}x{min(plan.width, plan.height)}"
    if stage is Stage.CONDITIONING:
        parts.append(drawn)
    elif stage is Stage.SAMPLING:
        branches = "two passes" if plan.guided and plan.two_pass else "guided" if plan.guided else "unguided"
        even = family(plan.model.family).geometry.overlap  # windows are as long as the video needs them
        parts += [
            f"{drawn}x{windows(plan).frames if even else plan.window}",
            branches,
            *(["chunked"] if plan.chunked else []),
            *(["to a picture"] if work.ends else []),
        ]
    elif stage in (Stage.DECODING, Stage.SAVING):
        shown = f"{work.shown_pixels} pixels, {work.shown_frames / work.frames:g} shown"
        parts += [drawn, f"by {plan.decode_chunk}", shown, "detail" if work.detail else "plain"]
    return "|".join(parts)


def _left_out(plan: MemoryPlan) -> list[str]:
    """Describe what the steps omit, for the key: the formulas only estimate what that saves."""
    effort = plan.work.effort
    found = [f"guided above {effort.guidance_above:g}"] * (plan.guided and effort.guidance_above > 0)
    found += [f"full every {effort.full_every}"] * (effort.full_every > 1)
    if effort.reuse is not None:
        found.append(f"used again to {effort.reuse.error:g}, {effort.reuse.most} in a row, from {effort.reuse.first:g}")
    return [*found, f"{plan.work.steps} steps"] if found else []


def _points(plan: MemoryPlan, stage: Stage, expected: float) -> list[Point]:
    """Return the measurements of a stage on this machine, from all kinds of jobs that inform this one.

    Args:
        plan: The plan.
        stage: The stage.
        expected: Seconds of one part of it by the formula.
    """
    figures, group, own = plan.machine.figures, f"{_group_key(plan, stage)}|", figure_key(plan, stage)
    found = [
        (figure.expected or expected, figure.seconds)
        for key, figure in figures.items()
        if key == own or (figure.expected > 0 and key.startswith(group))
    ]
    if not found and plan.compiled:
        return _points(replace(plan, compiled=False), stage, expected)
    if not found and stage is Stage.SAMPLING:
        if plan.work.effort != EVERYTHING:  # a unit is a whole step's work, whatever is left out
            return _points(replace(plan, work=replace(plan.work, effort=EVERYTHING)), stage, expected)
        if former := _former_figure(plan):
            found = [(expected, former.seconds)]
    return weighted(found)


def _former_figure(plan: MemoryPlan) -> Figure | None:
    """Return an earlier version's measurement of a step, for the plan's size and placement."""
    offload = "" if plan.offload is Offload.NONE else f", {plan.offload} offload"
    kind = f"{plan.model.name} {plan.width}x{plan.height} {plan.device}, {plan.dtype}{offload}"
    return plan.machine.figures.get(former_key(kind, Stage.SAMPLING))


def _reached(plan: MemoryPlan) -> float:
    """Return the speed measured with models of this class on this device; 0 if there is none."""
    return plan.machine.reached.get("cpu" if plan.device == "cpu" else "cuda", 0.0)


def _machine_pace(plan: MemoryPlan, stage: Stage) -> float:
    """Return the factor on the formula for a stage that was never measured with this model.

    Sampling and decoding run on the same device, so a measurement of one informs the other.
    """
    if stage not in (Stage.SAMPLING, Stage.DECODING) or not _reached(plan):
        return 1.0
    expected = plan.machine.cpu_speed if plan.device == "cpu" else plan.machine.gpu_speed
    return expected / _reached(plan)


def _measured_peak(plan: MemoryPlan, stage: Stage) -> int:
    """Return the measured peak bytes on the GPU; 0 if there is no usable measurement.

    While a model loads, the previous one may still be in memory. An upscaler's tiles adapt to the free memory, so its
    past peak says nothing about the next one.
    """
    if plan.device == "cpu" or stage is Stage.LOADING or (stage is Stage.DECODING and plan.work.upscaler):
        return 0
    size, figures = _size_key(plan, stage), plan.machine.figures
    # The length alone may follow: another way of sampling, as in pieces, has a peak of its own.
    found = max((x.peak for key, x in figures.items() if key == size or _without_length(key) == size), default=0)
    return int(found * HELD) + CONTEXT if found else 0


def tile_side(plan: MemoryPlan) -> int:
    """Return the side in pixels of the upscaler's largest tile that fits beside the decoder."""
    return family(plan.model.family).cost.tile_side(plan)


def forecast_text(found: Forecast) -> str:
    """Format a forecast as `about 3 min, 9.8 GB of 12 GB`, for the log and the command line."""
    memory = f"{found.need / GIB:.1f} GB of {round(found.total / GIB)} GB"
    return f"about {duration_text(found.seconds)}, {memory}" + (" on the CPU" if found.device == "cpu" else "")


def duration_text(seconds: float) -> str:
    """Format a duration as `40 s`, `1 min 15 s`, `7 min`, `1 h 20 min`, rounded to an estimate's precision."""
    if seconds < 55:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 285:
        step = 15 if seconds < 120 else 30
        whole = max(60, round(seconds / step) * step)
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60 // 5 * 5} min" if minutes % 60 >= 5 else "")
