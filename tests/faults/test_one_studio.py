"""What a running job survives while its studio stays: its database locked, its folder removed, a restart, a cancel.

And how its model is removed when it has ended. All beside one studio: a worker's start takes longer than what is done.
"""

import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from fanslymotion.models.registry import look, remove
from fanslymotion.presets import load_presets
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.exit_codes import RESTART
from fanslymotion.queue.types import Status, WorkerInfo
from fanslymotion.settings import Settings
from fanslymotion.tests.studio import wait_for

from .conftest import files_of, logs, starting, until

pytestmark = pytest.mark.faults

PRESET = """
label = "Tiny"
source = "hub"
repository = "acme/tiny"
download_gb = 0.1
width = 128
height = 72
frames = 14
"""


@pytest.fixture(scope="module")
def settings(module_settings: Settings) -> Settings:
    return module_settings


@pytest.fixture(scope="module", autouse=True)
def studio(settings: Settings) -> Iterator[None]:
    with starting(settings) as start:
        start()
        yield


@pytest.mark.soak
def test_a_database_locked_while_a_job_runs_costs_nothing(jobs, submit, settings) -> None:
    job = submit(steps=8)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    other = sqlite3.connect(settings.home / "jobs.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(8, lambda: other.execute("ROLLBACK"))
    timer.start()
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    timer.join()
    other.close()
    assert done.attempt == 1
    lines = [event.text for event in jobs.events_since(job.id, 0, 10_000)]
    assert any(line.startswith("[INFO] Finished") for line in lines), "the log is whole"


def test_a_folder_removed_under_a_running_job_loses_nothing(jobs, submit) -> None:
    job, other = submit(steps=6), submit(seconds=6, steps=2)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 1)
    shutil.rmtree(job.folder)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.video is not None
    assert done.video.is_file()
    assert until(lambda: jobs.get(other.id), lambda j: j.status is Status.DONE)


@contextmanager
def stopped_until_asked(jobs: Jobs, worker: WorkerInfo) -> Iterator[None]:
    """Stop a worker until it is asked to restart: the command may take longer to start than the job to end."""
    process = psutil.Process(worker.pid)

    def is_asked() -> bool:
        with jobs.store.read():
            return jobs.store.tables.Worker.get_by_id(worker.id).command == RESTART

    def go_on() -> None:
        try:
            wait_for(is_asked, 180)
        finally:
            process.resume()

    process.suspend()
    waiting = threading.Thread(target=go_on)
    waiting.start()
    yield
    waiting.join()


def test_restart_of_the_worker_costs_no_attempt(jobs, submit, told) -> None:
    """T8."""
    job = submit(steps=10)
    until(lambda: jobs.get(job.id), lambda j: j.stage == "sampling" and j.step > 2)
    old = next(w for w in jobs.workers() if w.alive)
    with stopped_until_asked(jobs, old):
        asked = told.command("restart-worker")
    assert asked.returncode == 0, asked.stderr
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.attempt == 1
    assert "resumed at window" in logs(jobs, job.id)
    assert next(w for w in jobs.workers() if w.alive).id != old.id
    assert not [check for check in told.doctor() if check["key"] == "worker" and check["code"]]


def test_cancel_while_running_leaves_the_next_job_alone(jobs, submit) -> None:
    job, other = submit(steps=60), submit(seconds=6, steps=2)
    until(lambda: jobs.get(job.id), lambda j: j.stage == "sampling")
    jobs.cancel(job.id)
    began = time.monotonic()
    ended = until(lambda: jobs.get(job.id), lambda j: j.status is Status.CANCELLED)
    assert time.monotonic() - began < 60
    wait_for(lambda: files_of(ended) == ["job.json", "photo.png"])
    assert until(lambda: jobs.get(other.id), lambda j: j.status is Status.DONE)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has mapped is read from /proc")
def test_a_warm_workers_model_is_removed(settings, jobs, submit, models_dir, tiny_model, monkeypatch) -> None:
    """Windows removes no file that a warm worker has mapped, so that the worker is asked to let it go.

    The refusal is made here, for as long as the living worker really has the files mapped.
    """
    own = settings.home / "presets" / "models" / "mapped.toml"
    own.write_text(PRESET, encoding="utf-8")
    folder = models_dir / "mapped"
    shutil.copytree(tiny_model, folder)
    job = submit(model="mapped", seconds=6, steps=1)
    done = until(lambda: jobs.get(job.id), lambda j: j.status.final)
    assert done.status is Status.DONE, done.error
    worker = next(w for w in jobs.workers() if w.alive)
    maps, rename, refusals = Path(f"/proc/{worker.pid}/maps"), Path.rename, []

    def mapped() -> bool:
        return str(folder) in maps.read_text(encoding="utf-8")

    def refusing(path: Path, target: Path) -> Path:
        if path == folder and mapped():
            refusals.append(path)
            error = PermissionError(13, "Access is denied")
            error.winerror = 5
            raise error
        return rename(path, target)

    assert mapped(), "the warm model lies in its files"
    monkeypatch.setattr(Path, "rename", refusing)
    presets = load_presets(settings)
    assert remove("mapped", presets, settings, jobs.release_models, patience=60) > 100_000
    assert refusals
    assert not folder.exists()
    assert look("mapped", presets, settings).state == "missing"
    alive = [w for w in jobs.workers() if w.alive]
    assert [w.id for w in alive] == [worker.id], "it went on without a restart"
