"""Machines whose clocks differ, and clocks that are set: no job and no file is lost by it."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.rows import photo_of
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import wait_for

pytestmark = pytest.mark.faults


@pytest.fixture
def worker_at(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Start a worker whose clock is off by, say, `+2h`, and wait until it is ready for jobs."""
    if shutil.which("faketime") is None:
        pytest.skip("needs the command faketime (Debian's and Ubuntu's package of that name)")
    started: list[subprocess.Popen] = []

    def start(shift: str) -> None:
        command = [sys.executable, "-P", "-m", "fanslymotion.queue.worker.main", "--id", f"shifted{shift}"]
        # Waiting by the monotonic clock must go on as ever.
        env = settings.environ() | {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        started.append(subprocess.Popen(["faketime", "-f", shift, *command], env=env, stdout=subprocess.DEVNULL))
        jobs = Jobs(settings)
        wait_for(lambda: any(worker.state == "idle" for worker in jobs.workers()), 120)
        found = next(worker for worker in jobs.workers())
        off = abs(found.heartbeat - time.time())
        assert off > 3600, "its clock is the real one"
        jobs.close()

    yield start
    for process in started:
        for worker in psutil.Process(process.pid).children() or [process]:  # faketime passes no signal on
            worker.terminate()
        process.wait(90)


@pytest.mark.soak
@pytest.mark.parametrize("shift", ["+2h", *soak("-2h")])
def test_a_worker_with_another_clock_takes_no_photo_from_a_batch_under_way(
    jobs: Jobs, settings: Settings, photo: Path, tmp_path: Path, worker_at: Callable[[str], None], shift: str
) -> None:
    """The batch waits for its second photo, at a pipe, while the worker starts and tidies up."""
    jobs.pause()
    pipe = tmp_path / "second.png"
    os.mkfifo(pipe)
    made: list[Job] = []
    request = VideoRequest(resolution="tiny", seconds=6, steps=1, seed=1)

    def hand_in() -> None:
        made.extend(jobs.submit_all([(photo, "first"), (pipe, "second")], request))
        jobs.close()

    batch = threading.Thread(target=hand_in)
    batch.start()
    wait_for(lambda: list(settings.jobs_dir.glob("*/photo.png")))
    worker_at(shift)
    pipe.write_bytes(photo.read_bytes())
    batch.join()
    assert len(made) == 2
    assert all(photo_of(job.folder).is_file() for job in made)
