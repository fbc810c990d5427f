"""The line from a running job to the store holds, whatever is sent along it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import Cancelled
from fanslymotion.messages import msg
from fanslymotion.pipeline.progress import Extrapolation, Progress, Stage, log_change
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.log import product_logger
from fanslymotion.queue.store import transitions
from fanslymotion.queue.worker import reporter
from fanslymotion.queue.worker.reporter import Reporter
from fanslymotion.tests.studio import wait_for
from peewee import OperationalError

from ..conftest import REQUEST

pytestmark = pytest.mark.both_databases

log = logging.getLogger("fanslymotion.tests")


@pytest.fixture
def running(jobs: Jobs, photo: Path) -> str:
    job = jobs.submit(photo, REQUEST)
    transitions.claim(jobs.store, "w", 1.0)
    return job.id


def at(step: int, preview: Callable[[], bytes] | None = None) -> Progress:
    return Progress(Stage.SAMPLING, step=step, steps=9, fraction=step / 9, preview=preview)


def cancel_is_seen(jobs: Jobs, job_id: str, line: Reporter) -> None:
    transitions.ask_cancel(jobs.store, job_id, 2.0)

    def told() -> bool:
        try:
            line.progress(at(5))
        except Cancelled:
            return True
        return False

    wait_for(told)


def test_a_preview_that_fails_costs_nothing_else(jobs: Jobs, running: str) -> None:
    def fail() -> bytes:
        raise MemoryError

    with Reporter(jobs.store, running, "w") as line:
        line.progress(at(3, fail))
        cancel_is_seen(jobs, running, line)
    assert jobs.get(running).step == 5


def test_each_preview_takes_the_last_ones_place(jobs: Jobs, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "PREVIEW_SECONDS", 0.0)
    monkeypatch.setattr(reporter, "PREVIEW_SHARE", 1.0)
    kept = jobs.store.tables.Preview
    with Reporter(jobs.store, running, "w") as line:
        for version, image in ((1, b"first"), (2, b"second")):
            line.progress(at(version, lambda image=image: image))
            wait_for(lambda version=version: jobs.get(running).preview_version == version)
            assert [(row.version, bytes(row.image)) for row in kept.select()] == [(version, image)]


def test_a_log_line_of_any_letters_is_kept(jobs: Jobs, running: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_logger(), "propagate", False)  # as in a worker; pytest cannot pass such letters on
    with Reporter(jobs.store, running, "w") as line:
        log.warning("model %s\0", "/\udcec\udcee\udce4/")
        cancel_is_seen(jobs, running, line)
    assert any(event.text.startswith("[WARN] model /???/") for event in jobs.events_since(running))


def test_what_nobody_foresaw_ends_neither_the_line_nor_the_job(
    jobs: Jobs, running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew, times = transitions.renew, iter(range(100))

    def renewing(*args, **more) -> bool:
        if next(times) < 2:
            raise TypeError("unforeseen")
        return renew(*args, **more)

    monkeypatch.setattr(reporter.transitions, "renew", renewing)
    with Reporter(jobs.store, running, "w") as line:
        line.progress(at(3))
        cancel_is_seen(jobs, running, line)
    assert jobs.get(running).step == 5


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_line_whose_commit_had_no_answer_is_written_once(
    jobs: Jobs, running: str, monkeypatch: pytest.MonkeyPatch, carried_out: bool
) -> None:
    commit, lost = jobs.store.db.commit, threading.Event()

    def lose_the_answer_once() -> None:
        if threading.current_thread().name != "reporter" or lost.is_set():
            return commit()
        if carried_out:
            commit()
        lost.set()
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(jobs.store.db, "commit", lose_the_answer_once)
    monkeypatch.setattr(product_logger(), "level", logging.DEBUG)
    with Reporter(jobs.store, running, "w"):
        log.info("first")
        assert lost.wait(30)
        log.info("second")
    said = [event.text for event in jobs.events_since(running, 0, 10_000) if event.text.startswith("[INFO]")]
    assert said == ["[INFO] first", "[INFO] second"]


def test_another_way_of_working_is_told_should_the_worker_die(jobs: Jobs, running: str) -> None:
    """What else is logged is no such thing."""
    change = msg("{now} instead of {before}", now=msg("model offload"), before=msg("all on the GPU"))
    with Reporter(jobs.store, running, "w"):
        log_change(log, change)
        log.warning("The disk is slow")
    row = jobs.store.tables.Job.get_by_id(running)
    assert transitions.mark_lost(jobs.store, row, "", 2.0) is not None
    for worker in ("v", "u"):
        row = transitions.claim(jobs.store, worker, 3.0)
        assert transitions.mark_lost(jobs.store, row, "", 4.0) is not None
    (told,) = jobs.get(running).warnings
    assert told.say("ru") == "выгрузка по моделям, а не всё на GPU"
    assert f"[WARN] {change}" in [event.text for event in jobs.events_since(running, 0, 100)]


def test_the_bar_goes_on_while_the_pipeline_says_nothing(jobs: Jobs, running: str) -> None:
    """A chunk of frames may take half a minute to decode: neither bar nor time left stands until it is there."""
    extrapolation = Extrapolation(time.monotonic(), share=3 / 9, left=6.0, unit=4.0, spent=0.0, timed=True)
    with Reporter(jobs.store, running, "w") as line:
        line.progress(replace(at(3), eta_seconds=6.0, extrapolation=extrapolation))
        first = jobs.get(running)
        wait_for(lambda: jobs.get(running).fraction > first.fraction)
        later = jobs.get(running)
        line.progress(at(4))
    assert later.fraction < 1
    assert later.eta_seconds is None or later.eta_seconds < 6
    assert (later.step, later.stage) == (first.step, first.stage)
    ended = jobs.store.tables.Job.get_by_id(running)
    assert ended.step == 4


def test_a_bar_that_goes_on_is_no_progress(jobs: Jobs, running: str) -> None:
    """What watches for a worker that hangs must not take it for a step."""
    extrapolation = Extrapolation(time.monotonic(), share=0.1, left=2.0, unit=2.0, spent=0.0, timed=True)
    with Reporter(jobs.store, running, "w") as line:
        line.progress(replace(at(1), extrapolation=extrapolation))
        moved = jobs.store.tables.Job.get_by_id(running).last_progress
        wait_for(lambda: jobs.get(running).fraction > 1 / 9 + 0.05)
        assert jobs.store.tables.Job.get_by_id(running).last_progress == moved


def test_the_bar_of_a_resumed_job_never_goes_back(jobs: Jobs, running: str) -> None:
    """A new attempt counts from 0, loads the model, and goes on from a checkpoint that is older than what was shown."""
    with Reporter(jobs.store, running, "w") as line:
        line.progress(at(6))
    row = jobs.store.tables.Job.get_by_id(running)
    assert transitions.mark_lost(jobs.store, row, "", 2.0) is not None
    assert transitions.claim(jobs.store, "v", 3.0) is not None
    shown = [jobs.get(running).fraction]
    assert shown == [pytest.approx(6 / 9)]
    with Reporter(jobs.store, running, "v", shown[0]) as line:
        for moment in (Progress(Stage.LOADING), Progress(Stage.CONDITIONING, fraction=0.1), at(5), at(7), at(8), at(9)):
            line.progress(moment)
            wait_for(lambda moment=moment: (now := jobs.get(running)).step == moment.step and now.stage == moment.stage)
            shown.append(jobs.get(running).fraction)
    assert shown == sorted(shown)
    assert shown[3] == pytest.approx(6 / 9), "the checkpoint was older"
    assert shown[4] < shown[5] < shown[6], "from there it moves with every step"
    assert shown[6] == pytest.approx(1)
