"""A disk that runs full under a running job: said, survived, and gone on from when there is room again."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings

from .conftest import until

pytestmark = pytest.mark.faults

DISK_MB = 160


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk")
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted in this container")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def settings(disk: Path, models_dir: Path) -> Settings:
    home = disk / "data"
    return Settings.local(home, models_dir)


def fill(disk: Path) -> Path:
    """Every last byte of it."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    file.write(b"\\0" * size)
            except OSError:
                continue
    return ballast


def wait_until_idle(process: psutil.Process, most: float) -> None:
    """Wait until a process computes no more: it has drawn what it could, and tries to write that. most: seconds."""
    end = time.monotonic() + most
    while time.monotonic() < end:
        before = process.cpu_times()
        time.sleep(1)
        after = process.cpu_times()
        if after.user + after.system - before.user - before.system < 0.1:
            return


def test_it_ends_in_words_and_goes_on_after(jobs: Jobs, start, submit, disk: Path) -> None:
    start()
    job = submit(steps=6)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    worker = psutil.Process(next(w for w in jobs.workers() if w.alive).pid)
    worker.suspend()  # or the job may have ended when the disk is full
    ballast = fill(disk)
    worker.resume()
    wait_until_idle(worker, 10)  # nothing can be written meanwhile, not even how far the job is
    ballast.unlink()
    ended = until(lambda: jobs.get(job.id), lambda j: j.status.final)
    if ended.status is not Status.DONE:
        assert ended.status is Status.FAILED
        assert "full" in ended.error.splitlines()[0]
        again = jobs.retry(job.id)
        assert until(lambda: jobs.get(again.id), lambda j: j.status is Status.DONE)
    assert jobs.store.check() == "ok"


def test_no_job_is_taken_that_could_not_be_kept(jobs: Jobs, submit, disk: Path) -> None:
    from fanslymotion.errors import StoreError

    fill(disk)
    with pytest.raises(StoreError, match="full"):
        submit()
    assert jobs.list() == []
    assert jobs.store.check() == "ok"
