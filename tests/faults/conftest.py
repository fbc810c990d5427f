"""Studios without a page: a process with a supervisor, which is all that jobs see of a UI."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fanslymotion.bench.faults.processes import frames_hash, kill, start_studio
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.recovery import is_locked
from fanslymotion.queue.types import Job, Status
from fanslymotion.settings import Settings
from fanslymotion.tests.studio import wait_for

from .told import Told


@pytest.fixture(scope="module")
def module_settings(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Settings:
    """For a module whose tests share what works beside them: it calls this `settings`."""
    home = tmp_path_factory.mktemp("data папка")
    tiny_preset(home)
    return Settings.local(home, models_dir)


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
def kill_worker(jobs: Jobs) -> Callable[[], None]:
    def killed() -> None:
        assert kill(next(w for w in jobs.workers() if w.alive).pid)

    return killed


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


def done(jobs: Jobs, job: Job) -> Job:
    return until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)


def check_balanced(jobs: Jobs, submit: Callable[..., Job], kill_worker: Callable[[], None], tiny_model: Path) -> None:
    """Kill the worker in the mode in which a step uses what an earlier one has computed: no checkpoint holds that."""
    balanced = {"mode": "balanced", "model": str(tiny_model), "steps": 8}  # `mini` has no such mode
    calm, job = submit(**balanced), submit(**balanced)
    # one window done: its checkpoint is there, and three are left for the kill to come in time
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    kill_worker()
    ended = done(jobs, job)
    assert ended.attempt == 2
    assert "resumed at window" in logs(jobs, job.id)
    assert frames_hash(ended.video) == frames_hash(jobs.get(calm.id).video), logs(jobs, job.id)
    wait_for(lambda: files_of(ended) == ["job.json", "photo.png", "video.mp4"])
