"""What a running job survives while its studio stays: its database locked, its folder removed, a restart, a cancel.

All beside one studio, whose worker is started only once: its start takes longer than what is tested.
"""

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from fanslymotion.tests.studio import wait_for

from .conftest import files_of, logs, starting, until

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Settings:
    home = tmp_path_factory.mktemp("data папка")
    tiny_preset(home)
    return Settings.local(home, models_dir)


@pytest.fixture(scope="module", autouse=True)
def studio(settings: Settings) -> Iterator[None]:
    with starting(settings) as start:
        start()
        yield


def test_a_database_locked_while_a_job_runs_costs_nothing(jobs, submit, settings) -> None:
    job = submit(steps=20)
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
    job, other = submit(steps=12), submit(seconds=6, steps=2)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 1)
    shutil.rmtree(job.folder)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.video is not None
    assert done.video.is_file()
    assert until(lambda: jobs.get(other.id), lambda j: j.status is Status.DONE)


def test_restart_of_the_worker_costs_no_attempt(jobs, submit) -> None:
    job = submit(steps=80)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    old = next(w for w in jobs.workers() if w.alive)
    assert jobs.restart_worker() == 1
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.attempt == 1
    assert "resumed at window" in logs(jobs, job.id)
    assert next(w for w in jobs.workers() if w.alive).id != old.id


def test_cancel_while_running_leaves_the_next_job_alone(jobs, submit) -> None:
    job, other = submit(steps=60), submit(seconds=6, steps=2)
    until(lambda: jobs.get(job.id), lambda j: j.stage == "sampling")
    jobs.cancel(job.id)
    began = time.monotonic()
    ended = until(lambda: jobs.get(job.id), lambda j: j.status is Status.CANCELLED)
    assert time.monotonic() - began < 60
    wait_for(lambda: files_of(ended) == ["job.json", "photo.png"])
    assert until(lambda: jobs.get(other.id), lambda j: j.status is Status.DONE)
