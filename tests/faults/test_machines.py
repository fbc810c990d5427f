"""Two machines of one host name, or a machine that stands still: neither costs the others a job or their patience."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.broker import make_huey
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.host import BOOT_ID, HOST, MACHINE, machine
from fanslymotion.queue.liveness.recovery import WORKERS, acquire_lock, lock_path
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from fanslymotion.tests import databases
from fanslymotion.tests.cutter import cutter

pytestmark = pytest.mark.faults

REQUEST = VideoRequest(seed=1)

SWEEP = """
import time
from fanslymotion.queue.liveness.host import HOST
from fanslymotion.queue.liveness.recovery import Sweeper
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings
store = Store(Settings.from_env())
sweeper = Sweeper(store)
print(HOST, sum(sweeper.sweep(float(at), time.time()) for at in range(20)))
"""

OTHER = """
set -e
mount --bind "$BOOT" /proc/sys/kernel/random/boot_id
mount --bind "$LOCKS" "$FANSLYMOTION_HOME/workers"
exec "$PYTHON" -c "$CODE"
"""
"""Another machine: another kernel's boot, and a share that does not carry file locks."""


@pytest.fixture
def on_another_machine(settings: Settings, tmp_path: Path) -> dict[str, str]:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root on Linux may show a process another boot")
    boot, locks = tmp_path / "boot_id", tmp_path / "locks"
    boot.write_text("11111111-2222-3333-4444-555555555555\n", encoding="utf-8")
    locks.mkdir()
    (settings.home / WORKERS).mkdir(parents=True)
    env = settings.environ() | {"BOOT": str(boot), "LOCKS": str(locks), "PYTHON": sys.executable}
    if subprocess.run(["unshare", "-m", "sh", "-c", OTHER], env=env | {"CODE": ""}, capture_output=True).returncode:
        pytest.skip("no file can be mounted over the boot's number in this container")
    return env


def test_two_machines_of_one_host_name_leave_each_other_their_jobs(
    jobs: Jobs, settings: Settings, photo: Path, on_another_machine: dict[str, str]
) -> None:
    job = jobs.submit(photo, REQUEST)
    lock = acquire_lock(lock_path(settings.home, "w"))
    values = {"host": HOST, "pid": 1, "state": "running", "heartbeat": 0.0, "started": 0.0}
    jobs.store.tables.Worker.insert(id="w", machine=MACHINE, lock=lock.lock_file, **values).execute()
    transitions.claim(jobs.store, "w", 1.0)
    command, code = ["unshare", "-m", "sh", "-c", OTHER], {"CODE": SWEEP}
    done = subprocess.run(
        command, env=on_another_machine | code, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert done.stdout.split() == [HOST, "0"], done.stderr
    assert (jobs.get(job.id).status, jobs.get(job.id).attempt) == (Status.RUNNING, 1)
    lock.release()


def test_processes_of_one_machine_know_it() -> None:
    code = "from fanslymotion.queue.liveness.host import MACHINE; print(MACHINE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", errors="replace")
    assert done.stdout.strip() == MACHINE


@pytest.mark.skipif(not BOOT_ID.exists(), reason="only Linux numbers its boots")
def test_machines_of_one_name_differ(tmp_path: Path) -> None:
    (tmp_path / "boot").write_text("another", encoding="utf-8")
    assert len({MACHINE, machine(tmp_path / "boot"), machine(tmp_path / "none")}) == 3


FREEZE = """
import os, signal
from fanslymotion.errors import StoreError
from fanslymotion.queue.jobs import Jobs
from fanslymotion.settings import Settings
jobs = Jobs(Settings.from_env())
tables = jobs.store.tables
try:
    with jobs.store.write():
        jobs.store.serialize_writers()
        tables.Worker.update(beats=7).execute()
        tables.Job.update(lease=7).execute()
        print("holds", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        jobs.count()
except StoreError as e:
    print("refused", flush=True)
jobs.pause()
print("goes on", flush=True)
"""


@pytest.fixture
def on_postgresql(settings: Settings, postgresql: str) -> Settings:
    return replace(settings, database=databases.new_database(postgresql))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP there")
def test_a_machine_that_stands_still_in_a_transaction_holds_nobody_up(on_postgresql: Settings, photo: Path) -> None:
    """Its row locks stop heartbeats, progress, cancel and submit until PostgreSQL ends its connection."""
    jobs = Jobs(on_postgresql)
    job = jobs.submit(photo, REQUEST)
    values = {"host": "h", "pid": 1, "machine": "m", "lock": "", "state": "running", "heartbeat": 0.0, "started": 0.0}
    jobs.store.tables.Worker.insert(id="w", **values).execute()
    transitions.claim(jobs.store, "w", 1.0)
    frozen = subprocess.Popen(
        [sys.executable, "-c", FREEZE],
        env=on_postgresql.environ(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    assert frozen.stdout is not None
    assert frozen.stdout.readline() == "holds\n"
    done: list[str] = []

    def heartbeat() -> None:
        with jobs.store.write():
            jobs.store.tables.Worker.update(beats=8).execute()
        assert transitions.renew(jobs.store, job.id, "w", {"step": 3})
        jobs.cancel(job.id)
        done.append(jobs.submit(photo, REQUEST).id)
        jobs.close()

    others = threading.Thread(target=heartbeat, daemon=True)
    others.start()
    others.join(60)
    try:
        assert done, "the others wait for ever"
        assert jobs.get(job.id).cancelling
        frozen.send_signal(signal.SIGCONT)
        assert frozen.communicate(timeout=60)[0] == "refused\ngoes on\n", "what it had written is void, and it knows"
        assert jobs.get(job.id).step == 3
        assert jobs.paused
    finally:
        frozen.kill()
        frozen.wait()
        jobs.close()


def test_every_connection_to_postgresql_has_limits(on_postgresql: Settings, postgresql: str) -> None:
    with cutter(postgresql) as cable:
        settings = replace(on_postgresql, database=cable.address(on_postgresql.database))
        jobs, huey = Jobs(settings), make_huey(settings)
        connections = [jobs.store.db.connection(), huey.storage.conn]
        for connection in connections:
            shown = [
                connection.execute(f"SHOW {name}").fetchone()[0]
                for name in ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
            ]
            assert shown == ["10s", "15s", "30s"]
            assert dict(connection.info.get_parameters())["keepalives_idle"] == "10"
        jobs.close()
        huey.storage.close()


def test_what_the_address_sets_stays(on_postgresql: Settings) -> None:
    own = replace(on_postgresql, database=f"{on_postgresql.database}&options=-c%20lock_timeout%3D1234")
    jobs = Jobs(own)
    assert jobs.store.db.connection().execute("SHOW lock_timeout").fetchone()[0] == "1234ms"
    jobs.close()
