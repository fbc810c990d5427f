"""Storage that fails while jobs run: locked, removed; the work goes on or says why it cannot."""

import shutil
import sqlite3
import threading

import pytest
from fanslymotion.queue.types import Status

from .conftest import until

pytestmark = pytest.mark.faults


def test_a_database_locked_while_a_job_runs_costs_nothing(jobs, start, submit, settings) -> None:
    start()
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


def test_a_folder_removed_under_a_running_job_loses_nothing(jobs, start, submit) -> None:
    start()
    job, other = submit(steps=12), submit(seconds=6, steps=2)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 1)
    shutil.rmtree(job.folder)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.video is not None
    assert done.video.is_file()
    assert until(lambda: jobs.get(other.id), lambda j: j.status is Status.DONE)
