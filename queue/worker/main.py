"""Run the worker process: a Huey consumer with one thread, a cached model, a heartbeat, and an orderly end.

Run as `python -m fanslymotion.queue.worker.main`. Exit codes: 0 stopped, 75 asked to restart; all others are crashes.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any, TextIO
from uuid import uuid4

from ...errors import StoreError
from ...fs import private_files
from ...garbage import no_collections
from ...messages import Message, as_message, msg
from ...pipeline.hardware.compiler import compiler_folders
from ...pipeline.hardware.malloc import return_heap
from ...pipeline.hardware.vram import gpu_is_lost
from ...settings import Settings
from .. import broker
from ..crash_diagnosis import PREFIX, find_cause
from ..error_throttle import ErrorThrottle
from ..job_folders import AbandonedFolders, collect_garbage
from ..liveness.exit_codes import CRASH_CODE, RELEASE, RESTART, RESTART_CODE, STOPPED
from ..liveness.host import HOST, MACHINE
from ..liveness.recovery import Sweeper, acquire_lock, is_locked, lives_here, lock_path, supervisor_lock
from ..liveness.suspend_aware_clock import SuspendAwareClock
from ..log import JOB_MARK, set_up
from ..store import transitions
from ..store.import_orphans import open_store
from ..store.rows import write_message
from ..types import Status, WorkerState
from .attempt import Produce, make_produce, process_video_generation
from .claims import Claims
from .loaded_note import LoadedNote
from .reporter import Reporter

BEAT_SECONDS = 2.0
SWEEP_SECONDS = 1.0
CLEANUP_SECONDS = 60.0
"""Between two searches for folders that killed submits and unfinished deletions left."""
EXAMINE_SECONDS = 600.0
"""Between two checks of the whole job list: damage can hide jobs without any error."""
GRACE_SECONDS = 60.0
"""How long to wait for the running step. After this the job is returned to the queue and the process exits."""

ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
"""Signals that end the worker. SIGBREAK is Ctrl+Break on Windows."""

log = logging.getLogger("fanslymotion.queue.worker.main")  # run by -m, this module is called __main__


class Worker:
    """Run jobs in this process, one after the other, and tell the other processes what it does.

    Args:
        settings: the data folder.
        worker_id: the worker's id; by default host name and a random number.
        supervised: mark in the output which lines belong to which job (`JOB_MARK`).
        gpu: the GPU that the supervisor gave it (`WorkerSlot.gpu`).
    """

    def __init__(self, settings: Settings, worker_id: str = "", supervised: bool = False, gpu: str = "") -> None:
        self.settings = settings
        self._gpu = gpu
        self.id = worker_id or f"{HOST}-{uuid4().hex[:8]}"[-64:]
        self._supervised = supervised
        self.store = open_store(settings)
        self._stop = threading.Event()
        self._code = STOPPED
        self._job_lock = threading.Lock()
        self._reporter: Reporter | None = None
        self._job_id = ""
        self._idle_since = time.monotonic()
        self._huey = broker.make_huey(settings)
        self._wake = broker.register(self._huey, self._take_jobs)
        self._sweeper = Sweeper(self.store)
        self._abandoned = AbandonedFolders(self.store)
        self._awake = SuspendAwareClock()
        self._lock_path = lock_path(settings.home, self.id)
        self._lock = acquire_lock(self._lock_path)
        self._produce: Produce | None = None
        self._model_cache: Any = None
        self._claims = Claims(self.store, self.id)
        self._loaded_note = LoadedNote(self.store, os.getpid())

    def run(self) -> int:
        """Run jobs until `stop` is called. Return the exit code."""
        self.store.examine()
        self._register(WorkerState.STARTING)
        for signum in ENDING:
            signal.signal(signum, self._on_signal)
        try:
            self._load_pipeline()
        except BaseException as e:
            crash = traceback.format_exc()
            cause = find_cause(crash, 0)
            said = f"{PREFIX}{cause}" if cause else ""
            log.error("The worker crashed on import: %s: %s. %s\n%s", type(e).__name__, e, said, crash)
            self._set(state=WorkerState.CRASHED, last_output=f"{said}\n{crash}".strip(), cause=write_message(cause))
            return CRASH_CODE
        log.info("Worker %s is ready (process %d)", self.id, os.getpid())
        self._claims.publish(time.monotonic())
        self._set(state=WorkerState.IDLE, device=write_message(_device()), last_output="", cause="", restarts=0)
        self._forget_dead_workers()
        threading.Thread(target=self._collect_garbage, name="garbage", daemon=True).start()
        consumer = broker.consume(self._huey)
        consumer.start()
        for signum in ENDING:  # Huey's start() has set its own
            signal.signal(signum, self._on_signal)
        self._beat()
        consumer.stop_flag.set()
        self._end_job()
        self._set(state=WorkerState.STOPPED, job="")
        return self._code

    def stop(self, code: int = STOPPED) -> None:
        """Return the running job to the queue at its next step, then end with `code`."""
        self._code = code
        self._stop.set()
        if reporter := self._reporter:
            reporter.hand_back()

    # --- jobs ---------------------------------------------------------------------------------------------------

    def _take_jobs(self, _message: str = "") -> None:
        """Run jobs until none waits: the Huey task. The table decides which job is next, not the message."""
        throttle = ErrorThrottle(log)
        while not self._stop.is_set():
            try:
                if not self._take_one():
                    break
                throttle.reset()
            except Exception as e:  # Huey would log a traceback, and retry at once with the next message
                throttle.log(e)
                self._stop.wait(throttle.next_pause())
        self.store.close()

    def _take_one(self) -> bool:
        """Run one job. Return False if none waits."""
        with self._job_lock:
            row = transitions.running_job(self.store, self.id) or self._claims.claim(time.time())
            if row is None or self._produce is None:
                return False
            self._job_id = row.id
            try:
                process_video_generation(self.store, row, self.id, self._produce, self._on_start, self._claims.refuses)
                if gpu_is_lost():
                    log.warning("The GPU's state is broken after this error; the worker starts anew")
                    self.stop(RESTART_CODE)
            finally:
                self._reporter, self._job_id = None, ""
                return_heap()
                self._idle_since = time.monotonic()
        return True

    def _on_start(self, reporter: Reporter) -> None:
        self._reporter = reporter
        if self._supervised:
            sys.stdout.write(f"{JOB_MARK}{self._job_id}\n")
            sys.stdout.flush()
        if self._stop.is_set():
            reporter.hand_back()

    def _end_job(self) -> None:
        """Wait GRACE_SECONDS for the running step, then return the job to the queue."""
        if self._job_lock.acquire(timeout=GRACE_SECONDS):
            self._job_lock.release()
        elif self._job_id:
            transitions.hand_back(self.store, self._job_id, self.id, time.time())

    # --- heartbeat ----------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        """Run the main thread's loop: heartbeat, commands, sweep, missing messages, release of an idle model."""
        throttle = ErrorThrottle(log)
        beat_at, cleanup_at, examine_at = 0.0, 0.0, time.monotonic() + EXAMINE_SECONDS
        while not self._stop.wait(SWEEP_SECONDS / 2):
            try:
                now = time.monotonic()
                if now >= beat_at:
                    beat_at = now + BEAT_SECONDS
                    self._heartbeat()
                if now >= examine_at:
                    examine_at = now + EXAMINE_SECONDS
                    self.store.examine()
                self._sweeper.sweep(self._awake.look(), time.time(), own=self._job_id)
                if now >= cleanup_at:
                    cleanup_at = now + CLEANUP_SECONDS
                    self._abandoned.remove(self._awake.look())
                    self._sweeper.forget(self._awake.look())
                if not self._job_lock.locked():
                    broker.wake_if_needed(self._huey, self._wake, self._waiting())
                    self._release_when_idle(now)
            except (StoreError, OSError) as e:  # the next beat tries again; a running job reports by itself
                throttle.log(e)

    def _heartbeat(self) -> None:
        """Write this worker's state, abilities and loaded model, and carry out a command."""
        busy = self._job_id
        state = WorkerState.RUNNING if busy else WorkerState.IDLE
        table = self.store.tables.Worker
        self._set(state=state, job=busy, beats=table.beats + 1)
        if not busy:
            self._claims.publish(time.monotonic())
        model = self._model_cache.loaded
        self._loaded_note.write(model.loaded_as if model else "")
        with self.store.errors():
            row = table.get_or_none(table.id == self.id)
        if row is None:  # the row was deleted, or the list was replaced
            self._register(state)
            self._claims.write_again()
            self._loaded_note.write_again()
        elif row.command:
            log.info("Asked to %s", row.command)
            if row.command == RELEASE:
                self._release_model()
            else:
                self.stop(RESTART_CODE if row.command == RESTART else STOPPED)
            with self.store.write():  # last, so that neither an error nor a concurrent command loses one
                own = (table.id == self.id) & (table.command == row.command)
                table.update({table.command: ""}).where(own).execute()

    def _waiting(self) -> int:
        """Count the jobs for this worker, which runs none now."""
        job = self.store.tables.Job
        with self.store.errors():
            own = (job.status == Status.RUNNING) & (job.worker == self.id)
            wanted = own if transitions.paused(self.store) else own | (job.status == Status.QUEUED)
            return job.select().where(wanted).count()

    def _release_when_idle(self, now: float) -> None:
        """Unload the model if no job has come for `settings.idle_seconds`."""
        after = self.settings.idle_seconds
        if not after or now - self._idle_since < after:
            return
        if self._model_cache.loaded:
            log.info("No job for %.0f s: the model leaves the memory; the next job loads it again", after)
        self._release_model()

    def _release_model(self) -> None:
        """Unload the model, so that its files can be removed. A model that a job uses stays."""
        if not self._job_lock.acquire(blocking=False):
            return
        try:
            self._model_cache.release()
            self._idle_since = float("inf")
        finally:
            self._job_lock.release()

    # --- start --------------------------------------------------------------------------------------------------

    def _load_pipeline(self) -> None:
        with no_collections(freeze=True):
            from ...pipeline.model_cache import ModelCache

            self._model_cache = ModelCache()
            self._produce = make_produce(self.store, self._model_cache)

    def _register(self, state: WorkerState) -> None:
        """Write this worker's row. It goes on with the count of crashes of its slot's last worker."""
        table, now = self.store.tables.Worker, time.time()
        values = {
            "host": HOST,
            "pid": os.getpid(),
            "machine": MACHINE,
            "lock": str(self._lock_path),
            "state": state,
            "heartbeat": now,
            "started": now,
            "command": "",
            "gpu": self._gpu,
        }
        with self.store.write():
            place = (table.machine == MACHINE) & (table.gpu == self._gpu)
            before = table.select().where(place).order_by(table.started.desc()).first()
            if before is not None:
                values |= {"crashes": before.crashes, "last_crash": before.last_crash}
            table.insert(id=self.id, **values).on_conflict(
                conflict_target=[table.id], update={getattr(table, k): v for k, v in values.items()}
            ).execute()

    def _set(self, **changes: Any) -> None:
        table = self.store.tables.Worker
        values = {getattr(table, name): value for name, value in changes.items()}
        with self.store.write():
            table.update({**values, table.heartbeat: time.time()}).where(table.id == self.id).execute()

    def _forget_dead_workers(self) -> None:
        """Delete this host's dead workers, after taking their jobs: this worker has started well.

        The crash of another GPU's worker stays to be seen, as long as its supervisor lives.
        """
        self._sweeper.sweep(self._awake.look(), time.time())
        table = self.store.tables.Worker
        with self.store.write():
            for row in table.select().where((table.machine == MACHINE) & (table.id != self.id)):
                shown = row.state == WorkerState.CRASHED and row.gpu != self._gpu
                if not lives_here(row) and not (shown and is_locked(supervisor_lock(self.settings.home, row.gpu))):
                    table.delete().where(table.id == row.id).execute()

    def _collect_garbage(self) -> None:
        """Remove what no job needs, in a thread of its own: of thousands of folders on a slow disk it takes minutes."""
        try:
            collect_garbage(self.store)
        except (StoreError, OSError) as e:
            log.warning("Not everything that no job needs was removed: %s", e)
        finally:
            self.store.close()

    def _on_signal(self, *_: Any) -> None:
        if self._stop.is_set():  # a second signal: end at once
            os._exit(130)
        self.stop()


def take_control_pipe() -> TextIO:
    """Return the supervisor's pipe, and replace standard input by an empty one.

    Windows serves one operation on a pipe at a time (python/cpython#78961). A library that queries standard input
    (numpy/numpy#24290), or a child process that inherits it, would block until the supervisor writes.
    """
    control = os.fdopen(os.dup(0), "r", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return control


def watch_parent(worker: Worker, control: TextIO) -> None:
    """Stop the worker when the supervisor writes "stop", or when the pipe ends because the supervisor is gone."""

    def read() -> None:
        for line in control:
            if line.strip() == "stop":
                break
        worker.stop()

    threading.Thread(target=read, name="parent", daemon=True).start()


def _device() -> Message:
    import torch

    if torch.cuda.is_available():
        return as_message(torch.cuda.get_device_name(0))
    return msg("CPU ({threads} {threads:=thread|threads})", threads=torch.get_num_threads())


def main() -> None:
    """Run a worker from the command line."""
    parser = argparse.ArgumentParser(prog="fanslymotion worker")
    parser.add_argument("--id", default="")
    parser.add_argument("--gpu", default="", help="UUID of the GPU that CUDA_VISIBLE_DEVICES names")
    parser.add_argument("--supervised", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    control = take_control_pipe() if options.supervised else None
    settings = Settings.from_env()
    os.environ.update(compiler_folders(settings.compiled_dir))
    with private_files():
        set_up(settings.logs_dir)
        try:
            worker = Worker(settings, options.id, supervised=options.supervised, gpu=options.gpu)
            if control is not None:
                watch_parent(worker, control)
            code = worker.run()
        except StoreError as e:
            log.error("%s", e)
            code = 1
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # not sys.exit: threads inside torch may outlive the interpreter and abort it


if __name__ == "__main__":
    main()
