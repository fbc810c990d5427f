"""What is kept of a worker that died, without a worker."""

import io
import subprocess
import sys
import threading
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest
from fanslymotion.errors import StoreError
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness import supervisor
from fanslymotion.queue.liveness.exit_codes import RESTART_CODE, STOPPED
from fanslymotion.queue.liveness.supervisor import LINES_KEPT, Supervisor
from fanslymotion.queue.liveness.suspend_aware_clock import SuspendAwareClock
from fanslymotion.queue.log import JOB_MARK
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Status, WorkerState
from fanslymotion.settings import Settings

from ..conftest import REQUEST


@pytest.fixture
def die(jobs: Jobs, settings: Settings):
    """A worker that says these lines and is killed."""

    def dying(lines: Iterable[str]) -> None:
        keeper = Supervisor(settings)
        keeper._read(cast(Any, SimpleNamespace(stdout=io.StringIO("".join(f"{line}\n" for line in lines)))))
        keeper._record_crash("w", -9, 1)

    return dying


def taken(jobs: Jobs, photo: Path, losses: int = 2) -> str:
    """A running job that fails when its worker dies once more."""
    job = jobs.submit(photo, REQUEST)
    transitions.claim(jobs.store, "w", 1.0)
    jobs.store.tables.Job.update(losses=losses, lost_place=10**9).execute()
    return job.id


def test_a_job_keeps_its_own_last_words_only(jobs: Jobs, photo: Path, die) -> None:
    """The lines before it may be those of another login's job."""
    job = taken(jobs, photo)
    die([f"{JOB_MARK}aaaaaaaaaaaa", "[START] Job a: secret.jpg, attempt 1", f"{JOB_MARK}{job}", "[INFO] mine"])
    failed = jobs.get(job)
    assert failed.status is Status.FAILED
    assert "[INFO] mine" in failed.error
    assert "ended with code -9" in failed.error
    assert "secret" not in failed.error
    (crashed,) = jobs.workers()
    assert "secret" in crashed.last_output, "the machine's owner sees all of it"


def test_a_job_that_had_not_begun_gets_nobodys_words(jobs: Jobs, photo: Path, die) -> None:
    job = taken(jobs, photo)
    die([f"{JOB_MARK}aaaaaaaaaaaa", "[INFO] secret.jpg"])
    assert "secret" not in jobs.get(job).error
    assert "ended with code -9" in jobs.get(job).error


def test_a_talkative_job_still_has_its_last_words(jobs: Jobs, photo: Path, die) -> None:
    job = taken(jobs, photo)
    die([f"{JOB_MARK}{job}", *(f"[DEBUG] line {number}" for number in range(2 * LINES_KEPT))])
    assert f"line {2 * LINES_KEPT - 1}" in jobs.get(job).error


def test_no_sweep_comes_between_the_crash_and_the_loss(
    jobs: Jobs, photo: Path, die, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would write all of the worker's words into the job."""
    job = taken(jobs, photo)
    seen: list[bool] = []
    lose = transitions.mark_lost

    def losing(store, *args):
        seen.append(store.db.in_transaction())
        return lose(store, *args)

    monkeypatch.setattr(supervisor.transitions, "mark_lost", losing)
    die([f"{JOB_MARK}{job}"])
    assert seen == [True]


def test_a_worker_that_cannot_be_started_is_told_and_tried_again(
    jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a limit of processes, say, or with an interpreter that an update took away."""
    keeper, tried = Supervisor(settings), []

    def spawn(worker_id: str) -> None:
        tried.append(worker_id)
        if len(tried) == 3:
            keeper._stop.set()
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(keeper, "_spawn", spawn)
    monkeypatch.setattr(supervisor, "BACKOFF_SECONDS", (0.01, 0.01))
    keeper.start()
    keeper._thread.join(60)
    assert len(set(tried)) == 3
    (crashed,) = jobs.workers()
    assert crashed.state == "crashed"
    assert "Resource temporarily unavailable" in crashed.last_output


def test_a_worker_that_cannot_be_watched_does_not_stay_beside_the_next_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Supervisor(settings)
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    monkeypatch.setattr(keeper, "_spawn", lambda _: child)
    monkeypatch.setattr(keeper, "_look", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        keeper._run_one("w")
    assert child.poll() is not None


@pytest.mark.parametrize("sleeps", [False, True])
def test_a_computer_that_slept_is_not_a_worker_that_hangs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, sleeps: bool
) -> None:
    keeper, killed = Supervisor(settings), []
    steps = [8 * 3600.0, *[1.0] * 20] if sleeps else [2.0] * 600
    now = accumulate(steps, initial=0.0)
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0)
    monkeypatch.setattr(supervisor, "SuspendAwareClock", lambda: SuspendAwareClock(lambda: next(now)))
    monkeypatch.setattr(keeper, "_look", lambda _: (None, ("job", 1.0, 1), supervisor.STALL_SECONDS))
    monkeypatch.setattr(keeper, "_kill_stalled", lambda *args: killed.append(args))
    polls = iter([None] * len(steps))
    child = SimpleNamespace(poll=lambda: next(polls, 0), wait=lambda: 0)
    keeper._watch(cast(Any, child), "w")
    assert bool(killed) is not sleeps


def test_a_store_that_did_not_answer_is_not_a_worker_that_hangs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker could not tell its progress either, and has had no time yet to tell it."""
    keeper, killed = Supervisor(settings), []
    now = accumulate([2.0] * 500, initial=0.0)
    looks = iter([True, *[False] * 400, True])

    def look(_: str) -> Any:
        if not next(looks):
            raise StoreError("the database does not answer")
        return None, ("job", 1.0, 1), supervisor.STALL_SECONDS

    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0)
    monkeypatch.setattr(supervisor, "SuspendAwareClock", lambda: SuspendAwareClock(lambda: next(now)))
    monkeypatch.setattr(keeper, "_look", look)
    monkeypatch.setattr(keeper, "_kill_stalled", lambda *args: killed.append(args))
    polls = iter([None] * 402)
    keeper._watch(cast(Any, SimpleNamespace(poll=lambda: next(polls, 0), wait=lambda: 0)), "w")
    assert next(looks, "all") == "all"
    assert killed == []


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        ({"stage": ""}, 1800),
        ({"stage": "loading", "slowest_step": 500.0}, 1800),
        ({"stage": "sampling"}, 600),
        ({"stage": "sampling", "slowest_step": 59.0}, 600),
        ({"stage": "decoding", "slowest_step": 61.0}, 610),
    ],
)
def test_a_slow_machine_gets_the_time_of_ten_steps(jobs: Jobs, photo: Path, settings: Settings, row, seconds) -> None:
    """Before its worker counts as hanging; a model that is loaded has a limit of its own."""
    taken(jobs, photo)
    jobs.store.tables.Job.update(row).execute()
    _, _, limit = Supervisor(settings, stall_seconds=600, loading_seconds=1800)._look("w")
    assert limit == seconds


@pytest.mark.parametrize("reason", [psutil.AccessDenied, psutil.ZombieProcess])
def test_a_child_that_cannot_be_killed_keeps_no_stalled_worker_alive(
    monkeypatch: pytest.MonkeyPatch, reason: type[psutil.Error]
) -> None:
    """Windows refuses to end a process that is ending; a program of another user is refused everywhere."""
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']); print('up', flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline().strip() == b"up"
        kill = psutil.Process.kill

        def refuse(process: psutil.Process) -> None:
            if process.pid != worker.pid:
                raise reason(process.pid)
            kill(process)

        monkeypatch.setattr(psutil.Process, "kill", refuse)
        monkeypatch.setattr(supervisor, "KILL_SECONDS", 0.1)
        supervisor.kill_tree(worker.pid)
        assert worker.wait(30) != 0


def test_a_worker_that_hangs_counts_as_crashed(jobs: Jobs, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code was lost as it was killed, and 0 stands for a worker that was asked to stop."""
    keeper, recorded, told = Supervisor(settings, stall_seconds=0.1, loading_seconds=0.1), threading.Event(), []

    def hang(worker: str) -> Any:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        return subprocess.Popen([sys.executable, "-c", "input()"], **pipes)

    record = keeper._record_crash

    def recording(worker: str, code: int, crashes: int) -> None:
        record(worker, code, crashes)
        told.append(code)
        recorded.set()

    monkeypatch.setattr(keeper, "_spawn", hang)
    monkeypatch.setattr(keeper, "_record_crash", recording)
    with keeper:
        assert recorded.wait(60)
        (crashed,) = jobs.workers()
    assert told[0] not in (STOPPED, RESTART_CODE)
    assert crashed.state == WorkerState.CRASHED
    assert f"ended with code {told[0]}" in crashed.last_output
