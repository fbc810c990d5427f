"""When waiting jobs begin: forecasts of what is before them, shared out among the workers."""

from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job, Status, WorkerInfo
from fanslymotion.settings import Settings
from fanslymotion.ui.starts import FRESH_SECONDS, StartTimes, shared_out

WORKER = WorkerInfo("w", "h", 1, "idle", True, 0.0, 0.0, "cpu", "", "", "", 0)


def starts(job_ids: str, seconds: list[float | None], workers: int, job: Job, running: int = 0) -> list[float | None]:
    active = [
        replace(job, id=one, status=Status.RUNNING if at < running else Status.QUEUED) for at, one in enumerate(job_ids)
    ]
    found = shared_out(active, dict(zip(job_ids, seconds, strict=True)), workers)
    assert [found[one].seconds for one in job_ids] == seconds
    return [found[one].starts_in for one in job_ids]


@pytest.fixture
def jobs(settings: Settings) -> Jobs:
    return Jobs(settings)


@pytest.fixture
def job(jobs: Jobs, photo: Path) -> Job:
    return jobs.submit(photo, VideoRequest(seed=1))


def test_one_after_the_other(job: Job) -> None:
    assert starts("abc", [30.0, 100.0, 50.0], 1, job, running=1) == [None, 30.0, 130.0]
    assert starts("abc", [30.0, 100.0, 50.0], 1, job) == [0.0, 30.0, 130.0]


def test_several_workers_take_the_next_one_each(job: Job) -> None:
    assert starts("abcd", [30.0, 10.0, 50.0, 5.0], 2, job, running=2) == [None, None, 10.0, 30.0]
    assert starts("abc", [30.0, 10.0, 50.0], 3, job, running=1) == [None, 0.0, 0.0]


def test_after_what_is_not_known_no_start_is(job: Job) -> None:
    assert starts("abc", [30.0, None, 50.0], 1, job) == [0.0, 30.0, None]
    assert starts("abc", [None, 10.0, 50.0], 1, job, running=1) == [None, None, None]
    assert starts("ab", [30.0, 10.0], 0, job) == [None, None]


def test_a_worker_that_ends_after_its_job_does_not_hide_the_line(job: Job) -> None:
    """Two jobs run while only one worker is known to go on."""
    assert starts("abc", [30.0, 10.0, 50.0], 1, job, running=2) == [None, None, 10.0]


def test_what_no_worker_can_run_holds_nobody_up(job: Job) -> None:
    from fanslymotion.messages import msg

    waits = replace(job, id="a", waits_for=msg("flat"))
    found = shared_out([waits, replace(job, id="b")], {"a": 10.0, "b": 20.0}, 1)
    assert (found["a"].starts_in, found["b"].starts_in) == (None, 0.0)


def test_the_forecast_is_the_forms_and_is_kept_for_a_while(jobs: Jobs, settings: Settings, photo: Path) -> None:
    now, looked = 0.0, 0

    def presets():
        nonlocal looked
        looked += 1
        return load_presets(settings)

    times = StartTimes(settings, presets, lambda: now)
    for seed in (1, 2, 3):
        jobs.submit(photo, VideoRequest(model="mini", seed=seed))
    jobs.submit(photo, VideoRequest(model="mini", seed=4, seconds=12))
    row = transitions.claim(jobs.store, "w", 1.0)
    assert row is not None
    assert transitions.renew(jobs.store, row.id, "w", {"fraction": 0.5})
    found = list(times.expected(jobs.list(), [WORKER], paused=False).values())
    assert looked == 2, "one plan for each kind of request"
    half, *waiting = (one.seconds for one in found)
    assert half == pytest.approx(waiting[0] / 2)
    assert waiting[2] > waiting[1] == waiting[0]
    assert found[0].starts_in is None
    begins = [half, half + waiting[0], half + 2 * waiting[0]]
    assert [one.starts_in for one in found[1:]] == pytest.approx(begins)
    assert transitions.renew(jobs.store, row.id, "w", {"eta": 7.0})
    assert next(iter(times.expected(jobs.list(), [WORKER], paused=False).values())).seconds == 7.0
    assert {one.starts_in for one in times.expected(jobs.list(), [WORKER], paused=True).values()} == {None}
    crashed = replace(WORKER, alive=False, state="crashed")
    assert {one.starts_in for one in times.expected(jobs.list(), [crashed], paused=False).values()} == {None}
    assert looked == 2
    now = FRESH_SECONDS
    times.expected(jobs.list(), [WORKER], paused=False)
    assert looked == 4


def test_a_preset_that_is_gone_is_no_error(jobs: Jobs, settings: Settings, job: Job) -> None:
    lost = replace(job, request=replace(job.request, resolution="4320p"))
    found = StartTimes(settings, lambda: load_presets(settings)).expected([lost], [WORKER], paused=False)
    assert found[job.id].seconds is None
