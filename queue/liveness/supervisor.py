"""Keep one worker process running: start it, restart it with back-off, record its output, kill it if it hangs."""

import logging
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psutil
from filelock import FileLock, Timeout

from ...errors import StoreError
from ...messages import Message, codes
from ...pipeline.hardware.malloc import grow_segments, keep_heap
from ...pipeline.progress import Stage
from ...settings import Settings
from ..crash_diagnosis import EXIT, PREFIX, CrashObserver, find_cause
from ..error_throttle import ErrorThrottle
from ..log import JOB_MARK
from ..store import transitions
from ..store.import_orphans import open_store
from ..store.rows import write_crash, write_message
from ..types import NOTHING, READY, Crash, EventKind, Status, WorkerState
from .echo import EchoThread
from .exit_codes import CRASH_CODE, RESTART_CODE, STOPPED
from .host import HOST, MACHINE
from .recovery import lock_path, supervisor_lock
from .suspend_aware_clock import SuspendAwareClock
from .worker_slots import WorkerSlot

BACKOFF_SECONDS = (0.5, 30.0)
"""First and longest pause before a crashed worker is restarted; it doubles in between."""
STALL_SECONDS = 600.0
"""After so long without progress a worker is killed and restarted, and its job resumes."""
LOADING_SECONDS = 3600.0
"""The same while a model is loaded, perhaps for the first time from a slow disk."""
SLOW_STEPS = 10
"""On a slow machine the limit is the measured time of so many steps, if that is longer."""
STOP_SECONDS = 75.0
"""How long to wait for an orderly end: the worker's own GRACE_SECONDS for a running step, and 15 s more."""
KILL_SECONDS = 5.0
"""How long to wait for killed processes."""
LINES_KEPT = 200
LOOK_SECONDS = 0.2

log = logging.getLogger(__name__)

Echo = Callable[[str], None]


class Supervisor:
    """Keep a worker running during the block. Of two on one data folder, the second waits until the first ends.

    Args:
        settings: the data folder and the worker's environment.
        echo: receives each line of the worker's output.
        slot: the worker's GPU and share of the machine. Of each GPU there is one worker.
        stall_seconds: limit without progress.
        loading_seconds: the same while a model is loaded.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        slot: WorkerSlot | None = None,
        echo: Echo | None = None,
        stall_seconds: float = STALL_SECONDS,
        loading_seconds: float = LOADING_SECONDS,
    ) -> None:
        self.settings = settings
        self._slot = slot or WorkerSlot()
        self._echo = EchoThread(echo) if echo is not None else None
        self._stall, self._loading = stall_seconds, loading_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._job_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._job_id = ""
        """The job whose lines `_job_lines` holds."""
        self._child: subprocess.Popen[str] | None = None
        self._crash_observer = CrashObserver()
        self._store = open_store(settings)

    def __enter__(self) -> "Supervisor":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread that keeps the worker running."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Begin what `stop` does, and return at once."""
        self._stop.set()

    def stop(self) -> None:
        """Ask the worker to return its job to the queue and end; kill it if it does not. Returns when it has ended."""
        self._stop.set()
        self._thread.join()
        if self._echo is not None:
            self._echo.flush()

    # --- the loop -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Run the supervisor's thread: wait for the slot's lock, and run workers while it is held."""
        path = supervisor_lock(self.settings.home, self._slot.gpu)
        lock = FileLock(path)
        while not self._stop.is_set():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with lock.acquire(timeout=0):
                    self._run_workers()
            except Timeout:
                self._stop.wait(0.5)
            except Exception as e:  # e.g. a lost network share: this loop must not end, or no worker would start
                log.exception("The worker's supervisor failed and begins anew: %s", e)
                self._stop.wait(BACKOFF_SECONDS[1])
        self._store.close()

    def _run_workers(self) -> None:
        """Run one worker after the other; after a crash with a pause, which doubles with each crash in a row."""
        crashes = 0
        while not self._stop.is_set():
            worker_id = f"{HOST[:50]}-{uuid4().hex[:8]}"
            try:
                code, good = self._run_one(worker_id)
            except Exception as e:  # the process cannot be started (limits, memory, a broken .venv) or watched
                log.debug("No worker", exc_info=True)
                self._record_line(f"[ERROR] The worker cannot be started or watched: {type(e).__name__}: {e}")
                code, good = CRASH_CODE, False
            if self._stop.is_set():
                continue
            if code == STOPPED:
                self._stop.wait(0.5)
                continue
            if code == RESTART_CODE:
                crashes = 0
                continue
            crashes = 1 if good else crashes + 1
            self._record_crash(worker_id, code, crashes)
            pause = min(BACKOFF_SECONDS[0] * 2 ** (crashes - 1), BACKOFF_SECONDS[1])
            self._record_line(f"[WARN] The worker ended with code {code}; it starts again in {pause:.1f} s")
            self._stop.wait(pause)

    def _run_one(self, worker_id: str) -> tuple[int, bool]:
        """Start a worker and watch it to its end. Return (exit code, whether it had become ready)."""
        self._lines.clear()
        self._begin_job("")
        self._crash_observer = CrashObserver()
        self._child = None
        child = self._child = self._spawn(worker_id)
        try:
            reader = threading.Thread(target=self._read, args=(child,), name="worker output", daemon=True)
            reader.start()
            good = self._watch(child, worker_id)
        except BaseException:
            kill_tree(child.pid)
            with suppress(subprocess.TimeoutExpired):
                child.wait(KILL_SECONDS)  # the next one must not run beside it
            raise
        finally:
            _close_input(child)
        reader.join(timeout=2)
        return child.returncode, good

    def _watch(self, child: "subprocess.Popen[str]", worker_id: str) -> bool:
        """Watch a worker until it ends, makes no progress, or `stop` is called. Return whether it had become ready."""
        clock, throttle = SuspendAwareClock(), ErrorThrottle(log)
        good, seen, since, looked = False, None, 0.0, 0.0
        while child.poll() is None:
            if self._stop.wait(LOOK_SECONDS):
                self._end(child)
                break
            now = clock.look()
            if now - looked < 1:
                continue
            passed, looked = now - looked, now
            self._crash_observer.look()
            try:
                row, now_seen, limit = self._look(worker_id)
            except StoreError as e:
                throttle.log(e)
                since += passed  # nor could the worker tell its progress
                continue
            good = good or (row is not None and row.state in READY)
            if now_seen != seen:
                seen, since = now_seen, now
            elif seen is not None and now - since > limit:
                self._kill_stalled(child, seen[0], limit)
        child.wait()
        return good

    def _look(self, worker_id: str) -> tuple[Any, tuple[str, float, int] | None, float]:
        """Return the worker's row, its progress, and for how many seconds that may stay unchanged.

        Without a job the worker's beats must change: a worker that hangs on import, or is frozen, is restarted too.
        """
        tables = self._store.tables
        with self._store.errors():
            row = tables.Worker.get_or_none(tables.Worker.id == worker_id)
            job = tables.Job.get_or_none((tables.Job.worker == worker_id) & (tables.Job.status == Status.RUNNING))
        if job is None:
            beats = row.beats if row is not None else 0
            starting = row is None or row.state == WorkerState.STARTING
            return row, ("", beats, 0), self._loading if starting else self._stall
        limit = self._loading if job.stage in ("", Stage.LOADING) else max(self._stall, SLOW_STEPS * job.slowest_step)
        return row, (job.id, job.last_progress, job.attempt), limit

    # --- the process --------------------------------------------------------------------------------------------

    def _spawn(self, worker_id: str) -> "subprocess.Popen[str]":
        """Start a worker's process, with pipes for its commands and its output."""
        environ = self.settings.environ() | keep_heap() | grow_segments() | self._slot.environ()
        environ |= {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        # Its own session: this process handles Ctrl+C of the terminal, and can kill the whole process tree.
        # -P: files in the working folder must not shadow modules.
        group: dict[str, Any] = (
            {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            if sys.platform == "win32"
            else {"start_new_session": True}
        )
        words = ["--supervised", "--id", worker_id, *(["--gpu", self._slot.gpu] if self._slot.gpu else [])]
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "fanslymotion.queue.worker.main", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            encoding="utf-8",
            errors="replace",
            **group,
        )

    def _read(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdout is not None
        with child.stdout as lines:
            for line in lines:
                if line.startswith(JOB_MARK):
                    self._begin_job(line.removeprefix(JOB_MARK).strip())
                else:
                    self._record_line(line.rstrip("\n"))

    def _begin_job(self, job_id: str) -> None:
        self._job_lines.clear()
        self._job_id = job_id

    def _record_line(self, line: str) -> None:
        self._lines.append(line)
        self._job_lines.append(line)
        if self._echo is not None:
            self._echo(line)

    def _end(self, child: "subprocess.Popen[str]") -> None:
        """Ask the worker to end through its standard input, which works on Windows too; kill it after STOP_SECONDS."""
        with suppress(OSError, ValueError):  # it has just ended
            assert child.stdin is not None
            child.stdin.write("stop\n")
        _close_input(child)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill_tree(child.pid)

    def _kill_stalled(self, child: "subprocess.Popen[str]", job_id: str, limit: float) -> None:
        """Kill a worker without progress, and tell it in its job's log. limit: seconds that it was given."""
        self._crash_observer.stalled = limit
        what = f"No progress for {limit:.0f} s: the worker is stopped and the job resumes in a new one"
        text = f"[WARN] {codes.NO_PROGRESS}: {what}"
        self._record_line(text)
        try:
            if job_id:
                with self._store.write():
                    told = {"seconds": limit}
                    now, kind = time.time(), EventKind.LOG
                    transitions.add_event(self._store, job_id, now, kind, text, level="WARNING", data=told)
        except StoreError as e:
            log.warning("%s", e)
        finally:
            kill_tree(child.pid)

    def _record_crash(self, worker_id: str, code: int, crashes: int) -> None:
        """Record a dead worker's output, and take its job from it at once.

        Both happen in one transaction, so that no sweeper takes the job of a recorded crash in between. A job gets
        only the lines written while it ran: earlier ones may belong to another login's job.
        """
        death, stalled = self._crash_observer.death(code), bool(self._crash_observer.stalled)
        cause = find_cause("\n".join(self._job_lines), code, stalled, working=bool(self._job_id))
        tables, now = self._store.tables, time.time()
        while True:
            try:
                with self._store.write():
                    values = {"state": WorkerState.CRASHED, "restarts": crashes, "heartbeat": now}
                    values |= {"last_output": _last_output(self._lines, code, cause), "cause": write_message(cause)}
                    values |= self._count_crash(worker_id, Crash(now, cause or NOTHING))
                    changed = tables.Worker.update(values).where(tables.Worker.id == worker_id).execute()
                    if not changed:  # the worker died before it could register
                        pid = self._child.pid if self._child else 0
                        lock = str(lock_path(self.settings.home, worker_id))
                        own = {"host": HOST, "machine": MACHINE, "lock": lock, "pid": pid, "started": now}
                        own["gpu"] = self._slot.gpu
                        tables.Worker.insert(id=worker_id, **own, **values).execute()
                    job = tables.Job
                    for row in job.select().where((job.worker == worker_id) & (job.status == Status.RUNNING)):
                        if row.id == self._job_id:
                            own_output = _last_output(self._job_lines, code, cause)
                        else:
                            own_output = _last_output((), code, find_cause("", code, stalled, working=True))
                        transitions.mark_lost(self._store, row, own_output, now, death)
                self._forget_older_crashes(worker_id)
                return
            except StoreError as e:
                log.warning("%s", e)
                if self._stop.wait(1):
                    return

    def _count_crash(self, worker_id: str, crash: Crash) -> dict[str, Any]:
        """Return the columns that count this slot's crashes: its own row's, or its last worker's if it has none."""
        worker = self._store.tables.Worker
        place = (worker.machine == MACHINE) & (worker.gpu == self._slot.gpu)
        own = worker.get_or_none(worker.id == worker_id)
        before = own or worker.select().where(place).order_by(worker.started.desc()).first()
        return {"crashes": (before.crashes if before else 0) + 1, "last_crash": write_crash(crash)}

    def _forget_older_crashes(self, worker_id: str) -> None:
        worker = self._store.tables.Worker
        here = (worker.machine == MACHINE) & (worker.gpu == self._slot.gpu) & (worker.id != worker_id)
        with self._store.write():
            worker.delete().where(here & (worker.state == WorkerState.CRASHED)).execute()


def _close_input(child: "subprocess.Popen[str]") -> None:
    """Close the supervisor's end of a worker's standard input. What is unwritten there is lost if the worker ended."""
    with suppress(OSError, ValueError):
        assert child.stdin is not None
        child.stdin.close()


def _last_output(lines: Iterable[str], code: int, cause: Message | None) -> str:
    """Return a dead worker's output below the likely cause."""
    said = "\n".join([*lines, EXIT.format(code)])
    return f"{PREFIX}{cause}\n{said}" if cause else said


def kill_tree(pid: int) -> None:
    """Kill a process with all its children, and wait for these. On POSIX that is SIGKILL, on Windows TerminateProcess.

    The process itself is not waited for: its exit code would be lost to its `Popen`, which then says 0.

    A child that the system does not let go of (it is ending, or another user's) keeps the others from nothing.
    """
    try:
        parent = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    children: list[psutil.Process] = []
    with suppress(psutil.Error):
        children = parent.children(recursive=True)
    for process in [*children, parent]:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(children, timeout=KILL_SECONDS)
