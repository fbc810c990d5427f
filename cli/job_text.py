"""Format jobs for a terminal or as JSON: stage, time left, log, details, a table."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ..messages import harmless
from ..presets.options import BEST
from ..queue.types import Event, EventKind, Job, Status

if TYPE_CHECKING:
    from ..pipeline.request import VideoRequest

LITTLE_SECONDS = 5
"""Fewer are not counted: the forecast is no better than that."""
STYLES = {"done": "green", "failed": "red", "cancelled": "yellow", "running": "cyan", "queued": "dim"}
LEVEL_STYLES = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "DEBUG": "dim"}


def job_data(job: Job) -> dict[str, Any]:
    """Return what --json prints of a job: all its fields, and its request by the options' names."""
    return asdict(job) | {"status": str(job.status), "request": job.request.to_json()}


def titled(job: Job) -> str:
    """Return a job's id and its photo's name, escaped for a terminal."""
    return f"{job.id}  {harmless(job.name)}"


def stage_text(job: Job, paused: bool = False) -> str:
    """Describe the state of a job: `sampling, window 1 of 2, step 14 of 25`.

    Args:
        job: The job.
        paused: The queue is paused, and a waiting job waits for that.
    """
    if job.status is Status.QUEUED and job.waits_for:
        return "waiting for a worker that has its model"
    if job.status is Status.QUEUED:
        return "paused" if paused else f"waiting, place {job.place}" if job.place else "waiting"
    if job.status.final:
        return str(job.status)
    words = ["cancelling" if job.cancelling else job.stage or "starting"]
    if job.windows > 1 and job.window:
        words.append(f"window {job.window} of {job.windows}")
    if job.part:
        words.append(f"{job.part.replace('_', ' ')}, {job.step + 1} of {job.steps}")
    elif job.stage == "sampling":
        words += _steps_of_window(job)
    elif job.stage in ("decoding", "saving") and job.steps > 1:
        words.append(f"frame {job.step} of {job.steps}")
    return ", ".join(words)


def _steps_of_window(job: Job) -> list[str]:
    """Return `step 14 of 25` of the current window; the store counts the steps of all windows."""
    each, rest = divmod(job.steps, max(1, job.windows))
    step = job.step - max(0, job.window - 1) * each
    return [f"step {step} of {each}"] if rest == 0 and each > 1 and 0 < step <= each else []


def time_text(seconds: float | None) -> str:
    """Format a duration as `45 s`, `3 min 20 s` or `1 h 5 min`; "" for None."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def left_text(job: Job) -> str:
    """Format the remaining time as `3 min 20 s left`; "" while it is unknown."""
    if job.eta_seconds is None:
        return ""
    return "a few seconds left" if job.eta_seconds < LITTLE_SECONDS else f"{time_text(job.eta_seconds)} left"


def event_lines(events: Iterable[Event]) -> Iterator[Text]:
    """Format a job's log and changes of status, one line each.

    Other events are omitted: samples are for a graph, and faults are in the log, too.
    """
    return (event_line(event) for event in events if event.kind in ("log", "status"))


def event_line(event: Event) -> Text:
    """Format an event as `14:03:07 text` in local time, coloured by its level."""
    when = datetime.fromtimestamp(event.time).strftime("%H:%M:%S")
    text = event.text if event.kind == EventKind.LOG else f"[{event.kind.upper()}] {event.text}"
    return Text(f"{when} {text}", style=LEVEL_STYLES.get(event.level, ""))


def job_details(job: Job, diagnosis: dict[str, str] | None = None) -> Table:
    """Build a table of everything about one job.

    Args:
        job: The job.
        diagnosis: More lines for a failed one: name -> text.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    size = f"{job.width}×{job.height}, {job.frames} frames at {job.fps} fps" if job.video else ""
    took = time_text((job.finished or time.time()) - job.started) if job.started else ""
    rows = {
        "job": job.id,
        "photo": harmless(job.name),
        "last picture": harmless(job.last_name),
        "status": Text(job.status, style=STYLES[job.status]),
        "stage": "" if job.status.final else f"{job.fraction:.0%} {stage_text(job)} {left_text(job)}",
        "settings": settings_text(job.request),
        "attempt": str(job.attempt) if job.attempt > 1 else "",
        "made": datetime.fromtimestamp(job.created).strftime("%Y-%m-%d %H:%M:%S"),
        "took": took,
        "video": str(job.video or ""),
        "size": size,
        "notes": "\n".join(job.warnings),
        "error": Text(job.error, style="red"),
        **(diagnosis or {}),
        "folder": str(job.folder),
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value if isinstance(value, Text) else Text(value))
    return table


def settings_text(request: "VideoRequest") -> str:
    """Format a job's settings in one line. Unset ones are omitted; switches are named, with "no" if they are off."""
    plain, parts = type(request)().to_json(), []
    for key in plain:
        name, value = key.replace("_", " "), getattr(request, key)
        if value is True:
            parts.append(name)
        elif value is False:
            parts += [f"no {name}"] if plain[key] else []
        elif isinstance(value, tuple):
            parts += [f"LoRA {harmless(str(one))}" for one in value]
        elif value not in (None, ""):
            parts.append(f"{name} {harmless(str(value).replace(chr(10), ' '))}")
    return ", ".join(parts)


def jobs_table(jobs: Iterable[Job]) -> Table:
    """Build a table of jobs in the given order."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "photo", "settings", "status", "stage", "made"):
        table.add_column(column, overflow="fold", no_wrap=column in ("id", "made"))
    for job in jobs:
        r = job.request
        progress = f"{job.fraction:.0%} {stage_text(job)}" if job.status is Status.RUNNING else ""
        place = f"place {job.place}" if job.place else ""
        table.add_row(
            job.id,
            Text(harmless(job.name)),
            Text(f"{r.resolution} {r.seconds} s {r.quality} {r.model}" + (f" {r.mode}" if r.mode != BEST else "")),
            Text(job.status, style=STYLES[job.status]),
            Text(progress or place or job.error.partition("\n")[0]),
            datetime.fromtimestamp(job.created).strftime("%Y-%m-%d %H:%M"),
        )
    return table
