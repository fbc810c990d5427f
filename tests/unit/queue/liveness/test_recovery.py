"""Who lives, who is gone, and what dead processes left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.liveness.presence import FRESH_SECONDS, Presence
from fanslymotion.queue.liveness.recovery import (
    FORGET_SECONDS,
    HUNG_SECONDS,
    LEASE_SECONDS,
    Sweeper,
    acquire_lock,
    is_locked,
    lock_path,
)
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings

pytestmark = pytest.mark.both_databases


@pytest.fixture
def running(jobs: Jobs, photo: Path) -> str:
    job = jobs.submit(photo, VideoRequest())
    transitions.claim(jobs.store, "w", 1.0)
    return job.id


def register(jobs: Jobs, settings: Settings, machine: str = MACHINE) -> Path:
    lock = lock_path(settings.home, "w")
    values = {"host": "h", "pid": os.getpid(), "state": "running", "heartbeat": 0.0, "started": 0.0}
    jobs.store.tables.Worker.insert(id="w", machine=machine, lock=str(lock), **values).execute()
    return lock


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "w.lock"
    code = (
        "import sys, pathlib; from fanslymotion.queue.liveness.recovery import acquire_lock; "
        "lock = acquire_lock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, encoding="utf-8", errors="replace") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_locked(path)
        holder.kill()
    assert not is_locked(path)


def test_a_living_worker_keeps_its_job(jobs: Jobs, settings: Settings, running: str) -> None:
    lock = acquire_lock(register(jobs, settings))
    sweeper = Sweeper(jobs.store)
    for now in (0.0, 1.0, HUNG_SECONDS - 1):
        assert sweeper.sweep(now, time.time()) == 0
    lock.release()
    assert sweeper.sweep(HUNG_SECONDS - 0.5, time.time()) == 1
    assert jobs.get(running).status is Status.QUEUED
    assert jobs.get(running).attempt == 2


def test_a_process_that_lives_but_hangs_loses_it(jobs: Jobs, settings: Settings, running: str) -> None:
    lock = acquire_lock(register(jobs, settings))
    sweeper = Sweeper(jobs.store)
    assert sweeper.sweep(0.0, 0.0) == 0
    transitions.renew(jobs.store, running, "w", {})
    assert sweeper.sweep(HUNG_SECONDS, 0.0) == 0, "its lease has moved"
    assert sweeper.sweep(2 * HUNG_SECONDS, 0.0) == 1
    lock.release()


@pytest.mark.parametrize("clock", [0.0, 1e12])
def test_the_wall_clock_decides_nothing(jobs: Jobs, settings: Settings, running: str, clock: float) -> None:
    """Set back to 1970 or far into the future: only the observer's own monotonic clock counts."""
    lock = acquire_lock(register(jobs, settings))
    sweeper = Sweeper(jobs.store)
    assert sweeper.sweep(0.0, clock) == 0
    assert sweeper.sweep(5.0, 1e12 - clock) == 0
    lock.release()


def test_a_worker_of_another_machine_is_gone_when_its_lease_stands_still(
    jobs: Jobs, settings: Settings, running: str
) -> None:
    register(jobs, settings, machine="elsewhere")
    sweeper = Sweeper(jobs.store)
    assert sweeper.sweep(0.0, 0.0) == 0
    assert sweeper.sweep(LEASE_SECONDS - 1, 0.0) == 0
    transitions.renew(jobs.store, running, "w", {})
    assert sweeper.sweep(LEASE_SECONDS + 1, 0.0) == 0
    assert sweeper.sweep(2 * LEASE_SECONDS + 2, 0.0) == 1


def test_a_worker_of_this_machine_without_its_lock_file_is_judged_by_its_lease(
    jobs: Jobs, settings: Settings, running: str
) -> None:
    """Somebody removed the file, or it lies where this process does not look: that is no sign of death."""
    register(jobs, settings).unlink(missing_ok=True)
    sweeper = Sweeper(jobs.store)
    assert sweeper.sweep(0.0, 0.0) == 0
    assert sweeper.sweep(LEASE_SECONDS, 0.0) == 1


def test_silent_workers_of_other_machines_are_struck_off(jobs: Jobs, settings: Settings) -> None:
    """Each boot and each container is another machine: their rows would gather."""
    register(jobs, settings, machine="elsewhere")
    table = jobs.store.tables.Worker
    sweeper = Sweeper(jobs.store)
    sweeper.forget(0.0)
    table.update(beats=table.beats + 1).execute()
    sweeper.forget(FORGET_SECONDS)
    assert table.select().count() == 1, "it has beaten"
    sweeper.forget(2 * FORGET_SECONDS)
    assert table.select().count() == 0


def test_another_machines_clock_does_not_say_whether_its_worker_lives(jobs: Jobs, settings: Settings) -> None:
    now = 0.0
    register(jobs, settings, machine="elsewhere")
    table, presence = jobs.store.tables.Worker, Presence(lambda: now)

    def alive() -> bool:
        return presence.look(table.select(), {}, 7200.0)[0].alive

    assert not alive(), "its clock is two hours behind"
    table.update(beats=table.beats + 1).execute()
    assert alive(), "but it beats"
    table.update(heartbeat=7200.0).execute()
    now = FRESH_SECONDS
    assert not alive(), "not any more"
