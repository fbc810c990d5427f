"""Follow jobs in a terminal until they end: a progress bar, or a line for each stage."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from ..console import draws_bars
from ..errors import FanslymotionError
from ..messages import harmless, msg
from ..queue.types import Job, Status, WorkerInfo, WorkerState
from .job_text import event_lines, left_text, stage_text

if TYPE_CHECKING:
    from ..queue.jobs import Jobs
    from ..queue.liveness.supervisors import Supervisors
    from ..settings import Settings

POLL_SECONDS = 0.1
WORKER_CHECK_SECONDS = 2.0
GIVE_UP_AFTER_CRASHES = 3  # of our own worker, in a row: a broken install does not mend itself
PLAIN_LINE_EVERY = 0.1  # share of the job between two lines where no bar can be drawn


class Follower:
    """Follow jobs until they end, and start a worker if none is alive.

    Ctrl+C cancels the job and continues to follow it; a second one stops following (KeyboardInterrupt). A worker that
    this object started ends with it; the jobs stay in the queue.

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
            The job as done, failed or cancelled.

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
                self._ensure_worker()
                time.sleep(POLL_SECONDS)

    def _ensure_worker(self) -> None:
        """Start a worker if none is alive. Called repeatedly: another program's worker may end meanwhile."""
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
            if worker.state != WorkerState.CRASHED or worker.heartbeat < self._started or crash in self._crashes_shown:
                continue
            self._crashes_shown.add(crash)
            self._say(f"the worker crashed; its last lines:\n{worker.last_output.strip()}")
            ready = any(other.ready for other in workers)
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
        """Show a bar in a terminal; elsewhere print a line for each stage and each tenth of the job."""
        if draws_bars(self.console):
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
