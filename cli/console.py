"""Show jobs in a terminal: stage in words, a bar while it runs, a row in a table."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from ..doctor.command import system_language
from ..errors import FanslymotionError
from ..messages import as_message, harmless, msg
from ..presets.options import BEST
from ..queue.types import Event, Job, Status, WorkerInfo

if TYPE_CHECKING:
    from ..pipeline.request import VideoRequest
    from ..queue.jobs import Jobs
    from ..queue.liveness.supervisors import Supervisors
    from ..settings import Settings

DONE, FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 130
"""Exit codes of the whole `fanslymotion` command."""

POLL_SECONDS = 0.1
WORKER_CHECK_SECONDS = 2.0
GIVE_UP_AFTER_CRASHES = 3  # of our own worker, in a row: a broken install does not mend itself
PLAIN_LINE_EVERY = 0.1  # share of the job between two lines where no bar can be drawn

LITTLE_SECONDS = 5
"""Fewer are not counted: the forecast is no better than that."""
STYLES = {"done": "green", "failed": "red", "cancelled": "yellow", "running": "cyan", "queued": "dim"}
LEVEL_STYLES = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "DEBUG": "dim"}


PIPE_WIDTH = 1000
"""Columns where no terminal is there: lines are not broken for another program."""


def out() -> Console:
    """Return a console on stdout: for results."""
    unbroken = not _is_terminal() and "COLUMNS" not in os.environ
    return Console(highlight=False, markup=False, width=PIPE_WIDTH if unbroken else None)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed from the beginning


def err() -> Console:
    """Return a console on stderr: for everything else, so that stdout can be piped."""
    return Console(stderr=True, highlight=False, markup=False)


def show_error(error: Exception | str) -> None:
    """Print an error as one sentence to stderr."""
    err().print(Text.assemble(("Error: ", "bold red"), harmless(str(error))), soft_wrap=True)


def titled(job: Job) -> str:
    """Return a job's id and its photo's name, fit for a terminal."""
    return f"{job.id}  {harmless(job.name)}"


def print_path(path: Path) -> None:
    """Print a file's path to stdout. Another program gets it exactly, letter by letter."""
    print(harmless(str(path)) if _is_terminal() else path)


def show_notice(notice: str) -> None:
    """Print what the user must be told about the job list itself; nothing for ""."""
    if notice:
        said = as_message(notice).say(system_language())
        err().print(
            Text(f"Note: {said} ('fanslymotion jobs seen' puts this note away)", style="yellow"), soft_wrap=True
        )


def print_json(data: Any) -> None:
    """Print one line of JSON to stdout, in ASCII: every console and every parser takes it."""
    print(json.dumps(data, default=str), flush=True)


def stage_text(job: Job, paused: bool = False) -> str:
    """Describe where a job stands: `sampling, window 1 of 2, step 14 of 25`.

    Args:
        job: The job.
        paused: Whether the queue is, which a waiting job waits for.
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
    """Return `step 14 of 25` of the window in work: the store counts the steps of all windows."""
    each, rest = divmod(job.steps, max(1, job.windows))
    step = job.step - max(0, job.window - 1) * each
    return [f"step {step} of {each}"] if rest == 0 and each > 1 and 0 < step <= each else []


def time_text(seconds: float | None) -> str:
    """Write a duration as `45 s`, `3 min 20 s` or `1 h 5 min`; "" for None."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def left_text(job: Job) -> str:
    """Write the remaining time as `3 min 20 s left`; "" while it is not known."""
    if job.eta_seconds is None:
        return ""
    return "a few seconds left" if job.eta_seconds < LITTLE_SECONDS else f"{time_text(job.eta_seconds)} left"


def event_lines(events: Iterable[Event]) -> Iterator[Text]:
    """Write a job's log and changes of status, a line each.

    Other kinds of events are left out: samples are for a graph, and a fault is in the log as well.
    """
    return (event_line(event) for event in events if event.kind in ("log", "status"))


def event_line(event: Event) -> Text:
    """Write an event as `14:03:07 text`, coloured by its level; the time is local."""
    when = datetime.fromtimestamp(event.time).strftime("%H:%M:%S")
    text = event.text if event.kind == "log" else f"[{event.kind.upper()}] {event.text}"
    return Text(f"{when} {text}", style=LEVEL_STYLES.get(event.level, ""))


def job_details(job: Job, diagnosis: dict[str, str] | None = None) -> Table:
    """Make a table of everything about one job, a line each.

    Args:
        job: The job.
        diagnosis: More lines for one that has failed: name -> text.
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
    """Write a job's settings in one line: what is not set is left out, a switch is named, with "no" where it is off."""
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
    """Make a table of jobs, a row each, in the order given."""
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


class Follower:
    """Watch jobs until they end, and start a worker when none is alive.

    Ctrl+C cancels the job and goes on watching; a second one stops watching (KeyboardInterrupt). A worker that this
    object had to start ends with it; the jobs stay in the queue.

    Args:
        jobs: The queue.
        settings: For a worker that must be started.
        console: Where progress is shown.
        verbose: Show the jobs' logs, too.
    """

    def __init__(self, jobs: "Jobs", settings: "Settings", console: Console, verbose: bool = False) -> None:
        self.jobs = jobs
        self.settings = settings
        self.console = console
        self.verbose = verbose
        self.interrupts = 0
        self._supervisors: Supervisors | None = None
        self._next_worker_check = 0.0
        self._crashes_shown: set[tuple[str, int]] = set()
        self._started = time.time()

    def __enter__(self) -> "Follower":
        self._previous = {}
        if threading.current_thread() is threading.main_thread():
            for number, handler in ((signal.SIGINT, self._on_interrupt), (signal.SIGTERM, self._on_terminate)):
                self._previous[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._supervisors is not None:
                self._supervisors.stop()
        finally:
            for number, handler in self._previous.items():
                signal.signal(number, handler)

    def _on_interrupt(self, *_: object) -> None:
        # A flag, not an exception: raised anywhere, it could end a database transaction half-way.
        self.interrupts += 1
        if self.interrupts > 1:
            raise KeyboardInterrupt

    def _on_terminate(self, *_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    def wait(self, job_id: str) -> Job:
        """Follow one job to its end.

        Returns:
            The job as it is then: done, failed or cancelled.

        Raises:
            NotFound: It was deleted meanwhile.
            FanslymotionError: The worker started here crashed `GIVE_UP_AFTER_CRASHES` times in a row.
            KeyboardInterrupt: Ctrl+C was pressed twice.
        """
        with self._display() as show:
            last_event, cancel_sent = 0, False
            while True:
                job, events = self.jobs.snapshot(job_id, last_event)
                last_event = max([last_event, *(event.id for event in events)])
                if self.verbose:
                    for line in event_lines(events):
                        self.console.print(line, soft_wrap=True)
                show(job)
                if job.status.final:
                    return job
                if self.interrupts and not cancel_sent:
                    cancel_sent = True
                    self._say("cancelling; Ctrl+C once more stops watching")
                    self.jobs.cancel(job_id)
                self._see_to_a_worker()
                time.sleep(POLL_SECONDS)

    def _see_to_a_worker(self) -> None:
        """Another program's worker may end while we wait for it, so this is asked again and again."""
        if time.monotonic() < self._next_worker_check:
            return
        self._next_worker_check = time.monotonic() + WORKER_CHECK_SECONDS
        workers = self.jobs.workers()
        self._show_crashes(workers)
        if self._supervisors is None and not any(worker.alive for worker in workers):
            from ..queue.liveness.supervisors import Supervisors

            supervisors = Supervisors(self.settings)
            supervisors.start()
            self._supervisors = supervisors

    def _show_crashes(self, workers: list[WorkerInfo]) -> None:
        for worker in workers:
            crash = (worker.id, worker.restarts)
            if worker.state != "crashed" or worker.heartbeat < self._started or crash in self._crashes_shown:
                continue
            self._crashes_shown.add(crash)
            self._say(f"the worker crashed; its last lines:\n{worker.last_output.strip()}")
            ready = any(other.alive and other.state in ("idle", "running") for other in workers)
            if self._supervisors is not None and worker.restarts >= GIVE_UP_AFTER_CRASHES and not ready:
                raise FanslymotionError(
                    msg(
                        "the worker cannot start (see above); the job stays in the queue and goes on with the next "
                        "worker: correct the cause, then run: fanslymotion worker"
                    )
                )

    def _say(self, text: str) -> None:
        self.console.print(Text(text, style="yellow"), soft_wrap=True)

    @contextlib.contextmanager
    def _display(self) -> Iterator[Any]:
        """A live bar in a terminal; elsewhere a line for each stage and each tenth of the job."""
        if self.console.is_terminal:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[left]}", style="dim", markup=False),
            )
            with Progress(*columns, console=self.console, transient=True, expand=True) as progress:
                task = progress.add_task("", total=1.0, left="")
                yield lambda job: progress.update(
                    task,
                    completed=job.fraction,
                    description=f"{harmless(job.name)}: {stage_text(job, self._paused(job))}",
                    left=left_text(job),
                )
            return
        shown: tuple[object, ...] = ()

        def line(job: Job) -> None:
            nonlocal shown
            now = (job.status, job.stage, job.cancelling, int(job.fraction / PLAIN_LINE_EVERY))
            if now != shown:
                shown = now
                left = f", {left_text(job)}" if job.eta_seconds is not None and not job.status.final else ""
                text = f"{harmless(job.name)}: {job.fraction:.0%} {stage_text(job, self._paused(job))}{left}"
                self.console.print(Text(text), soft_wrap=True)

        yield line

    def _paused(self, job: Job) -> bool:
        return job.status is Status.QUEUED and self.jobs.paused
