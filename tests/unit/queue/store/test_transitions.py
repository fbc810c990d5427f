"""Every change of status is one conditional update: of two who want different things one wins."""

import io
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.messages import as_message
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoResult
from fanslymotion.queue.crash_diagnosis import Death
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from PIL import Image

from ..conftest import REQUEST

pytestmark = pytest.mark.both_databases


@pytest.fixture
def running(jobs: Jobs, photo: Path) -> str:
    """A job that worker `w` has claimed."""
    job = jobs.submit(photo, REQUEST)
    assert transitions.claim(jobs.store, "w", 1.0).id == job.id
    return job.id


def row(store: Store, job_id: str):
    return store.tables.Job.get_by_id(job_id)


def test_claim_takes_each_job_once(settings: Settings, jobs: Jobs, photo: Path) -> None:
    for _ in range(20):
        jobs.submit(photo, REQUEST)
    taken: list[str] = []

    def take(name: str) -> None:
        store = Store(settings)
        while (found := transitions.claim(store, name, 1.0)) is not None:
            taken.append(found.id)
        store.close()

    threads = [threading.Thread(target=take, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 20
    assert len(set(taken)) == 20


@pytest.mark.parametrize("end", ["done", "failed"])
def test_what_was_noted_about_the_photo_stays_beside_what_the_work_notes(
    store: Store, jobs: Jobs, photo: Path, result: VideoResult, end: str
) -> None:
    whole = io.BytesIO()
    Image.open(photo).save(whole, "JPEG", quality=95)
    job = jobs.submit(whole.getvalue()[:-200], REQUEST, name="cut.jpg")
    (note,) = job.warnings
    assert note.startswith("the end of cut.jpg is missing")
    transitions.claim(store, "w", 1.0)
    if end == "done":
        assert transitions.finish(store, job.id, "w", replace(result, warnings=("smaller",)), 2.0)
    else:
        assert transitions.fail(store, job.id, "w", "why", 2.0, ["smaller"])
    assert jobs.get(job.id).warnings == (note, "smaller")
    assert f"[WARN] {note}" in [event.text for event in jobs.events_since(job.id)]


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_a_final_status_is_never_left(store: Store, running: str, result: VideoResult, end: str) -> None:
    if end == "done":
        assert transitions.finish(store, running, "w", result, 2.0)
    elif end == "failed":
        assert transitions.fail(store, running, "w", "why", 2.0)
    else:
        assert transitions.end_cancelled(store, running, "w", 2.0)
    before = row(store, running)
    assert not transitions.finish(store, running, "w", result, 3.0)
    assert not transitions.fail(store, running, "w", "other", 3.0)
    assert not transitions.end_cancelled(store, running, "w", 3.0)
    assert not transitions.hand_back(store, running, "w", 3.0)
    assert not transitions.renew(store, running, "w", {"step": 9})
    assert transitions.mark_lost(store, before, "", 3.0) is None
    transitions.ask_cancel(store, running, 3.0)
    assert row(store, running).__data__ == before.__data__
    assert before.status == end


def test_cancel_against_finish_has_one_winner(store: Store, running: str, result: VideoResult) -> None:
    transitions.ask_cancel(store, running, 2.0)
    assert not transitions.finish(store, running, "w", result, 3.0), "the cancel came first"
    assert transitions.end_cancelled(store, running, "w", 3.0)
    assert row(store, running).status == Status.CANCELLED


def test_only_the_owner_of_the_claim_writes(store: Store, running: str, result: VideoResult) -> None:
    assert not transitions.renew(store, running, "other", {"step": 5})
    assert not transitions.finish(store, running, "other", result, 2.0)
    assert not transitions.fail(store, running, "other", "x", 2.0)
    assert not transitions.hand_back(store, running, "other", 2.0)
    assert transitions.lease_status(store, running, "other") == (False, False)
    assert transitions.lease_status(store, running, "w") == (True, False)


def test_handing_back_costs_no_attempt_and_keeps_the_place(jobs: Jobs, running: str, photo: Path) -> None:
    later = jobs.submit(photo, REQUEST)
    assert transitions.hand_back(jobs.store, running, "w", 2.0)
    job = jobs.get(running)
    assert (job.status, job.attempt, job.place) == (Status.QUEUED, 1, 1)
    assert jobs.get(later.id).place == 2


def test_a_lost_worker_costs_an_attempt(jobs: Jobs, running: str) -> None:
    assert transitions.mark_lost(jobs.store, row(jobs.store, running), "", 2.0) is Status.QUEUED
    job = jobs.get(running)
    assert (job.status, job.attempt, job.place) == (Status.QUEUED, 2, 1)
    assert "The worker died" in jobs.events_since(running)[-2].text


def test_of_two_sweeps_one_takes_the_job(store: Store, running: str) -> None:
    seen = row(store, running)
    assert transitions.mark_lost(store, seen, "", 2.0) is Status.QUEUED
    assert transitions.mark_lost(store, seen, "", 2.0) is None


def test_a_worker_that_has_renewed_is_not_lost(store: Store, running: str) -> None:
    seen = row(store, running)
    assert transitions.renew(store, running, "w", {})
    assert transitions.mark_lost(store, seen, "", 2.0) is None


def test_three_losses_at_one_place_fail_the_job(jobs: Jobs, running: str) -> None:
    store = jobs.store
    for attempt in (1, 2, 3):
        transitions.renew(
            store, running, f"{attempt}" if attempt > 1 else "w", {"stage": "sampling", "step": 3, "steps": 25}
        )
        status = transitions.mark_lost(store, row(store, running), "first line\nKilled", 2.0)
        if attempt < 3:
            assert status is Status.QUEUED
            assert transitions.claim(store, f"{attempt + 1}", 3.0).id == running
    job = jobs.get(running)
    assert job.status is Status.FAILED
    assert job.error.startswith("the worker died 3 times at stage sampling")
    assert job.error.endswith("Killed")


def test_kills_for_want_of_memory_are_answered_with_less_of_it(jobs: Jobs, running: str) -> None:
    store, worker = jobs.store, "w"
    death = Death("FM-WORKER-005", {"free": "0.1 GB"})
    assert transitions.killed_for_memory(store, running, 1) is None
    for attempt in range(1, transitions.MAX_MEMORY_LOSSES):
        transitions.renew(store, running, worker, {"stage": "sampling", "step": 3})
        transitions.note_changes(store, running, worker, [as_message(f"step {attempt}")])
        assert transitions.mark_lost(store, row(store, running), "", 2.0, death) is Status.QUEUED
        assert transitions.killed_for_memory(store, running, attempt + 1) is Stage.SAMPLING
        assert transitions.killed_for_memory(store, running, attempt + 2) is None, "another loss came in between"
        worker = f"w{attempt}"
        transitions.claim(store, worker, 3.0)
    assert transitions.mark_lost(store, row(store, running), "", 2.0, death) is Status.FAILED
    job = jobs.get(running)
    assert job.error.startswith("the worker was killed by the system")
    tried = tuple(f"step {attempt}" for attempt in range(1, transitions.MAX_MEMORY_LOSSES))
    assert job.warnings == tried, "the diagnosis says what was tried"
    assert (job.error.code, job.error.values["free"]) == ("FM-WORKER-005", "0.1 GB")


def test_a_failure_keeps_what_was_tried(jobs: Jobs, running: str) -> None:
    assert transitions.fail(jobs.store, running, "w", "why", 2.0, ("Out of memory while generating",))
    assert jobs.get(running).warnings == ("Out of memory while generating",)


def test_progress_between_losses_starts_the_count_anew(jobs: Jobs, running: str) -> None:
    store, worker = jobs.store, "w"
    for step in range(1, 12):
        transitions.renew(store, running, worker, {"stage": "sampling", "step": step, "steps": 25})
        assert transitions.mark_lost(store, row(store, running), "", 2.0) is Status.QUEUED
        worker = f"w{step}"
        transitions.claim(store, worker, 3.0)
    assert jobs.get(running).attempt == 12


def test_a_cancel_that_a_dead_worker_never_saw(store: Store, running: str) -> None:
    transitions.ask_cancel(store, running, 2.0)
    assert transitions.mark_lost(store, row(store, running), "", 3.0) is Status.CANCELLED


def test_a_cancel_outlives_the_end_of_its_worker(jobs: Jobs, running: str) -> None:
    transitions.ask_cancel(jobs.store, running, 2.0)
    assert transitions.hand_back(jobs.store, running, "w", 3.0)
    assert jobs.get(running).status is Status.CANCELLED
    assert transitions.claim(jobs.store, "next", 4.0) is None


def test_a_cancel_after_the_look_of_a_sweep_is_not_overwritten(store: Store, running: str) -> None:
    seen = row(store, running)
    transitions.ask_cancel(store, running, 2.0)
    assert transitions.mark_lost(store, seen, "", 3.0) is None, "the next look knows of it"
    assert transitions.mark_lost(store, row(store, running), "", 4.0) is Status.CANCELLED


def test_a_cancel_and_a_hand_back_at_once_end_the_job(settings: Settings, jobs: Jobs, photo: Path) -> None:
    for _ in range(25):
        job = jobs.submit(photo, REQUEST)
        transitions.claim(jobs.store, "w", 1.0)
        barrier = threading.Barrier(2)

        def at_once(change, *words: str, barrier: threading.Barrier = barrier) -> None:
            store = Store(settings)
            barrier.wait()
            change(store, *words, 2.0)
            store.close()

        threads = [
            threading.Thread(target=at_once, args=(transitions.ask_cancel, job.id)),
            threading.Thread(target=at_once, args=(transitions.hand_back, job.id, "w")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert jobs.get(job.id).status is Status.CANCELLED


def test_places_grow_along_the_stages() -> None:
    steps = [
        ("", 0),
        ("loading", 0),
        ("conditioning", 1),
        ("sampling", 0),
        ("sampling", 99),
        ("decoding", 0),
        ("saving", 0),
    ]
    places = [transitions.place_of(stage, step) for stage, step in steps]
    assert places == sorted(set(places))
