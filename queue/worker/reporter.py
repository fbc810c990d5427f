"""Write a running job's lease, progress, log and preview to the store, in its own thread.

The sampling thread only stores its latest state here; it never waits for the database.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import Cancelled, HandBack, StoreError
from ...pipeline.progress import Progress
from ..error_throttle import ErrorThrottle
from ..liveness.suspend_aware_clock import SuspendAwareClock
from ..log import EventHandler, Line, product_logger
from ..store import transitions
from ..store.store import Store
from ..types import EventKind
from .rising_share import RisingShare

LOOK_SECONDS = 0.1
"""Log lines are written at most so late; a cancellation is seen after at most this and one step."""
PROGRESS_SECONDS = 0.2
"""Between two writes of progress."""
MOVE_SECONDS = 0.25
"""Between two writes of how the bar goes on without progress."""
RENEW_SECONDS = 5.0
"""Between two renewals of the lease without progress."""
STAGE_WAIT_SECONDS = 1.0
"""How long a new stage waits until it is written, so that a sudden death is reported in its true stage."""
PREVIEW_SECONDS = 0.4
"""Shortest time between two previews."""
PREVIEW_SHARE = 0.02
"""Largest share of the time that is spent on previews."""
EVENTS_KEPT = 5_000
"""Log lines kept for a job; older ones are deleted."""
LINES_WAITING = 10_000
"""Lines kept in memory while the database cannot be written; beyond that the oldest are dropped."""

log = logging.getLogger(__name__)


class LostLease(HandBack):
    """The job belongs to another worker now: stop, and write nothing."""


class Reporter:
    """Write one attempt's lease, progress, log and previews during the block, and tell it when to stop.

    Args:
        store: the open store.
        job_id: the job.
        worker: this worker's id.
        fraction: share of the job that earlier attempts reached, 0..1. What is shown never falls below it.
    """

    def __init__(self, store: Store, job_id: str, worker: str, fraction: float = 0.0) -> None:
        self._store, self._job_id, self._worker = store, job_id, worker
        self._lock = threading.Lock()
        self._lines: deque[Line] = deque()
        self._dropped = 0
        self._unsure: Line | None = None
        """The last line of a failed write, which may have succeeded although its answer was lost."""
        self._progress: Progress | None = None
        self._preview: Progress | None = None
        self._changed = False
        self._awake = SuspendAwareClock()
        self._moved_at, self._moved_wall = self._awake.look(), time.time()
        self._slowest = 0.0
        self._urgent = False
        self._written_out = threading.Event()
        self._stop: type[Exception] | None = None
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._renewed = self._reported = time.monotonic()
        self._share = RisingShare(fraction)
        self._shown: tuple[int, int | None] | None = None
        """Per cent and whole seconds left, as last written."""
        self._preview_after = 0.0
        self._preview_version = 0
        self._written = 0
        self._throttle = ErrorThrottle(log)
        self._handler = EventHandler(self._line)
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def __enter__(self) -> "Reporter":
        product_logger().addHandler(self._handler)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        """Stop the thread and write the rest, so that the log is complete before the job's status changes."""
        product_logger().removeHandler(self._handler)
        self._ended.set()
        self._wake.set()
        self._thread.join()

    def progress(self, p: Progress) -> None:
        """Store the pipeline's progress. Called by the sampling thread.

        Raises:
            Cancelled: the job's cancellation was requested.
            HandBack: the worker stops, or (LostLease) the job is no longer this worker's.
        """
        if p.message:
            log.info("%s", p.message)
        with self._lock:
            now, before = self._awake.look(), self._progress
            # The pipeline also calls while it waits (for a disk, for ffmpeg): only another step is progress.
            if before is None or (before.stage, before.window, before.step) != (p.stage, p.window, p.step):
                if before is not None and before.stage == p.stage:
                    self._slowest = max(self._slowest, now - self._moved_at)
                self._moved_at, self._moved_wall = now, time.time()
            self._progress, self._changed = p, True
            if p.preview is not None:
                self._preview = p
            new_stage = before is None or before.stage != p.stage
            if new_stage:
                self._urgent = True
                self._written_out.clear()
        if new_stage:
            self._wake.set()
            self._written_out.wait(STAGE_WAIT_SECONDS)
        if self._stop is not None:
            raise self._stop

    @property
    def stage(self) -> str:
        """Return the job's current stage, "" before its first."""
        with self._lock:
            return str(self._progress.stage) if self._progress else ""

    def hand_back(self) -> None:
        """Stop at the next step. The job returns to the queue."""
        self._stop = self._stop or HandBack

    def _line(self, line: Line) -> None:
        with self._lock:
            self._lines.append(line)
            if len(self._lines) > LINES_WAITING:
                self._lines.popleft()
                self._dropped += 1

    # --- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
                self._try(self._flush)
                self._try(self._read_lease)
                self._make_preview()
            while not self._try(partial(self._flush, last=True)):
                time.sleep(1)
        finally:
            self._store.close()

    def _try(self, act: Callable[[], None]) -> bool:
        """Read or write the store. Return False for a StoreError: the data stays for the next try, sampling goes on."""
        try:
            self._store.relax_sync()
            act()
            return True
        except Exception as e:  # any error: without this thread the job has neither progress nor cancellation
            self._throttle.log(e)
            return not isinstance(e, StoreError)  # only errors of the database are worth another try

    def _read_lease(self) -> None:
        """Decide whether the attempt must stop: the job is no longer this worker's, or is to be cancelled."""
        mine, cancel = transitions.lease_status(self._store, self._job_id, self._worker)
        if not mine:
            self._stop = LostLease
        elif cancel:
            self._stop = Cancelled

    def _flush(self, last: bool = False) -> None:
        """Write what has come since the last write, and renew the lease. last: write progress even if it is not due."""
        now = time.monotonic()
        with self._lock:
            self._awake.look()
            p, lines, self._dropped = self._progress, list(self._lines), 0
            due = last or self._urgent or now - self._reported >= PROGRESS_SECONDS
            report = p is not None and self._changed and due
            changes = self._changes(p) if p is not None and report else {}
            if report:
                self._changed = self._urgent = False
            elif p is not None and now - self._reported >= MOVE_SECONDS:
                changes = self._moved(p, now)
        if not (changes or lines or now - self._renewed > RENEW_SECONDS):
            return
        try:
            with self._store.write():
                mine = transitions.renew(self._store, self._job_id, self._worker, changes, log=bool(lines))
                if mine and lines:
                    self._insert(self._unwritten(lines))
        except StoreError:
            self._unsure = lines[-1] if lines else self._unsure
            self._changed = self._changed or report
            self._written_out.set()  # sampling continues without the write
            raise
        with self._lock:
            for _ in range(len(lines) - self._dropped):
                self._lines.popleft()
            if not self._urgent:
                self._written_out.set()
        self._renewed = now
        self._reported = now if changes else self._reported

    def _unwritten(self, lines: list[Line]) -> list[Line]:
        """Drop the lines that an earlier, seemingly failed write has stored. Call inside a transaction."""
        unsure, self._unsure = self._unsure, None
        if unsure is None or unsure not in lines:
            return lines
        event = self._store.tables.Event
        same = (event.job == self._job_id) & (event.time == unsure.at)
        same &= (event.level == unsure.level) & (event.text == unsure.text)
        return lines[lines.index(unsure) + 1 :] if event.select().where(same).exists() else lines

    def _changes(self, p: Progress) -> dict[str, Any]:
        """Return the job's columns for the pipeline's progress."""
        fraction = self._share.take(p.fraction, p.stage)
        self._shown = _shown(fraction, p.eta_seconds)
        return {
            "stage": str(p.stage),
            "step": p.step,
            "steps": p.steps,
            "part": p.part,
            "window": p.window,
            "windows": p.windows,
            "fraction": fraction,
            "eta": p.eta_seconds,
            "last_progress": self._moved_wall,
            "slowest_step": self._slowest,
        }

    def _moved(self, p: Progress, now: float) -> dict[str, Any]:
        """Return how the bar goes on without another report, if that can be seen."""
        if p.extrapolation is None:
            return {}
        fraction, eta = self._share.take(p.extrapolation.share_at(now), p.stage), p.extrapolation.eta_at(now)
        moved = _shown(fraction, eta) != self._shown
        self._shown = _shown(fraction, eta)
        return {"fraction": fraction, "eta": eta} if moved else {}

    def _insert(self, lines: list[Line]) -> None:
        """Insert log lines, note the plan changes among them, and delete the oldest lines beyond EVENTS_KEPT."""
        event = self._store.tables.Event
        rows = [
            {"job": self._job_id, "time": line.at, "kind": EventKind.LOG, "level": line.level, "text": line.text}
            for line in lines
        ]
        if changes := [line.change for line in lines if line.change is not None]:
            transitions.note_changes(self._store, self._job_id, self._worker, changes)
        for i in range(0, len(rows), 100):
            event.insert_many(rows[i : i + 100]).execute()
        self._written += len(rows)
        if self._written > EVENTS_KEPT // 5:
            self._written = 0
            mine = (event.job == self._job_id) & (event.kind == EventKind.LOG)
            oldest = event.select(event.id).where(mine).order_by(event.id.desc()).offset(EVENTS_KEPT).limit(1).first()
            if oldest is not None:
                event.delete().where(mine & (event.id <= oldest.id)).execute()

    # --- previews -----------------------------------------------------------------------------------------------

    def _make_preview(self) -> None:
        if time.monotonic() < self._preview_after:
            return
        with self._lock:
            p, self._preview = self._preview, None
        if p is None or p.preview is None:
            return
        begin = time.monotonic()
        try:
            self._write_preview(p.preview())
        except Exception as e:  # a failed preview must not fail the job
            log.debug("No preview: %s", e)
        self._preview_after = begin + max(PREVIEW_SECONDS, (time.monotonic() - begin) / PREVIEW_SHARE)

    def _write_preview(self, image: bytes) -> None:
        job, table = self._store.tables.Job, self._store.tables.Preview
        with self._store.write():
            if not self._preview_version:  # continue above an earlier attempt's versions, which pages have cached
                self._preview_version = job.select(job.preview_version).where(job.id == self._job_id).scalar() or 0
            version = self._preview_version + 1
            if transitions.renew(self._store, self._job_id, self._worker, {"preview_version": version}):
                table.insert(job=self._job_id, version=version, image=image).on_conflict(
                    conflict_target=[table.job], update={table.version: version, table.image: image}
                ).execute()
                self._preview_version = version


def _shown(fraction: float, eta: float | None) -> tuple[int, int | None]:
    """Return what people see of both: whole per cent and seconds."""
    return round(100 * fraction), None if eta is None else round(eta)
