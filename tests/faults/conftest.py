"""Studios without a page: a process with a supervisor, which is all that jobs see of a UI."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fanslymotion.bench.faults.processes import kill, start_studio
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.recovery import is_locked
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.tests.studio import wait_for

from .told import Told


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Jobs]:
    tiny_preset(settings.home)
    made = Jobs(settings)
    yield made
    assert made.store.check() == "ok", "the database is whole after every fault"
    made.close()


@pytest.fixture
def told(settings: Settings, jobs: Jobs) -> Told:
    return Told(settings, jobs)


Start = Callable[..., subprocess.Popen]


@contextmanager
def starting(settings: Settings) -> Iterator[Start]:
    """Start a studio; keyword arguments are environment variables. At the end nothing of it may be left running."""
    studios: list[subprocess.Popen] = []

    def started(**environ: str) -> subprocess.Popen:
        studios.append(start_studio(settings, **environ))
        return studios[-1]

    yield started
    for studio in studios:
        kill(studio.pid)
        studio.wait()
    locks = settings.home / "workers"
    wait_for(lambda: not any(is_locked(path) for path in locks.glob("*.lock")))


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    with starting(settings) as started:
        yield started


@pytest.fixture
def submit(jobs: Jobs, photo: Path) -> Callable[..., Job]:
    """A 12 s job of the smallest size, without the photo's detail, which would take most of its time."""

    def submitted(last=None, **changes) -> Job:
        small = {"resolution": "tiny", "seconds": 12, "quality": "standard", "detail": False}
        return jobs.submit(photo, VideoRequest(**(small | {"seed": 3, "steps": 6} | changes)), last=last)

    return submitted


def until(look: Callable[[], Job], ready: Callable[[Job], bool], seconds: float = 180) -> Job:
    """The job, as soon as it is `ready`."""
    end = time.monotonic() + seconds
    while not ready(job := look()):
        assert time.monotonic() < end, job
        assert not job.status.final or ready(job), job
        time.sleep(0.05)
    return job


def logs(jobs: Jobs, job_id: str) -> str:
    """The job's whole log."""
    return "\n".join(event.text for event in jobs.events_since(job_id, 0, 100_000))


def files_of(job: Job) -> list[str]:
    """Return the names in the job's folder. The worker removes its work folder just after the job's row has ended."""
    return sorted(path.name for path in job.folder.iterdir())
