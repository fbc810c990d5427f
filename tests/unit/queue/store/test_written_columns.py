"""What a change of status writes, column by column, and that it writes nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.messages import Message, as_message, codes, msg
from fanslymotion.pipeline.progress import Stage
from fanslymotion.pipeline.request import VideoResult
from fanslymotion.queue.crash_diagnosis import Death
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import read_messages, write_message, write_messages
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings

from ..conftest import REQUEST

pytestmark = pytest.mark.both_databases

BEGUN = {"stage": "sampling", "step": 3, "steps": 25, "part": "x", "window": 1, "windows": 2, "eta": 9.0}
FRESH = {"stage": "", "step": 0, "steps": 0, "part": "", "window": 0, "windows": 0, "eta": None}


@pytest.fixture
def running(jobs: Jobs, photo: Path) -> str:
    """A job that worker `w` claimed at second 1, after another one of another worker's; both have a preview."""
    table = jobs.store.tables.Job
    for worker in ("another", "w"):
        job = jobs.submit(photo, REQUEST)
        assert transitions.claim(jobs.store, worker, 1.0).id == job.id
        transitions.note_changes(jobs.store, job.id, "another", [msg("another's")])
        with jobs.store.write():
            jobs.store.tables.Preview.insert(job=job.id, version=1, image=b"jpeg").execute()
            table.update(warnings=write_messages(["another's"])).where(table.worker == "another").execute()
    return job.id


def row(store: Store, job_id: str) -> dict[str, Any]:
    return store.tables.Job.get_by_id(job_id).__data__


def written(store: Store, job_id: str, change: Callable[[], Any]) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """Return the columns that a change gave other values, and the events that it added, without their ids.

    No other job may change.
    """
    job, event = store.tables.Job, store.tables.Event
    others = list(job.select().where(job.id != job_id).order_by(job.id).dicts())
    before, last = row(store, job_id), event.select(event.id).order_by(event.id.desc()).limit(1).scalar() or 0
    change()
    after = row(store, job_id)
    assert list(job.select().where(job.id != job_id).order_by(job.id).dicts()) == others
    added = event.select().where(event.id > last).order_by(event.id)
    assert all(one.job == job_id for one in added)
    events = [(one.time, one.kind, one.level, one.text, json.loads(one.data or "{}")) for one in added]
    return {name: value for name, value in after.items() if value != before[name]}, events


def has_preview(store: Store, job_id: str) -> bool:
    preview = store.tables.Preview
    found = {row.job for row in preview.select(preview.job)}
    assert found - {job_id}, "another job's stays"
    return job_id in found


def test_a_claim_begins_an_attempt_and_keeps_the_first_start(store: Store, running: str) -> None:
    assert row(store, running)["started"] == 1.0
    assert transitions.renew(store, running, "w", BEGUN | {"slowest_step": 2.0, "fraction": 0.5})
    assert transitions.hand_back(store, running, "w", 2.0)
    with store.write():
        waits = write_message(msg("No GPU"))
        store.tables.Job.update(cancel=True, waits_for=waits).where(store.tables.Job.id == running).execute()
    got: list[Any] = []
    columns, events = written(store, running, lambda: got.append(transitions.claim(store, "v", 7.0)))
    revision = columns.pop("revision")
    assert columns == {
        "status": "running",
        "worker": "v",
        "last_progress": 7.0,
        "cancel": False,
        "waits_for": "",
        "slowest_step": 0.0,
        **{name: FRESH[name] for name in FRESH if name != "eta"},
    }
    assert (got[0].id, got[0].revision, got[0].worker) == (running, revision, "v")
    assert events == [(7.0, "status", "", "running", {})]


def test_each_written_change_has_its_own_revision(store: Store, running: str) -> None:
    def revision_after(*words: Any, **more: Any) -> int:
        assert transitions.renew(store, running, "w", *words, **more)
        return row(store, running)["revision"]

    first, lease = row(store, running)["revision"], row(store, running)["lease"]
    assert revision_after({}) == first, "pages need not read a beat"
    assert revision_after({}, log=True) == first + 1
    assert revision_after({"step": 4}) == first + 2
    assert row(store, running)["lease"] == lease + 3
    assert row(store, running)["step"] == 4


def test_a_claim_asks_for_each_waiting_job_once_and_takes_the_first_that_suits(jobs: Jobs, photo: Path) -> None:
    first, second, third = (jobs.submit(photo, REQUEST).id for _ in range(3))
    asked: list[str] = []

    def suits(row: Any) -> bool:
        assert row.request
        assert row.photo
        assert row.waits_for == ""
        asked.append(row.id)
        return row.id == second

    assert transitions.claim(jobs.store, "w", 1.0, suits).id == second
    assert asked == [first, second]
    assert transitions.claim(jobs.store, "w", 1.0, suits) is None
    assert asked == [first, second, first, third], "each claim asks anew: a model may have arrived"
    assert transitions.claim(jobs.store, "w", 1.0).id == first


def test_a_claim_asks_for_a_job_that_came_to_the_front_meanwhile(jobs: Jobs, photo: Path) -> None:
    first = jobs.submit(photo, REQUEST).id
    late: list[str] = []
    asked: list[str] = []

    def suits(row: Any) -> bool:
        asked.append(row.id)
        if not late:
            late.append(jobs.submit(photo, REQUEST).id)
            jobs.move(late[0], 1)
        return True

    assert transitions.claim(jobs.store, "w", 1.0, suits).id == late[0]
    assert asked == [first, late[0]]


def test_a_claim_that_finds_nothing_begins_no_write(jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle worker asks several times a second; writes of others need not wait for it."""
    jobs.submit(photo, REQUEST)
    monkeypatch.setattr(jobs.store, "write", lambda: pytest.fail("a write began"))
    assert transitions.claim(jobs.store, "w", 1.0, lambda row: False) is None


@pytest.mark.parametrize("choosy", [False, True])
def test_jobs_of_one_position_are_taken_as_the_list_shows_them(jobs: Jobs, photo: Path, choosy: bool) -> None:
    for _ in range(6):
        jobs.submit(photo, REQUEST)
    with jobs.store.write():
        jobs.store.tables.Job.update(position=1.0).execute()
    shown = [job.id for job in jobs.list(statuses=[Status.QUEUED])]
    asked: list[str] = []

    def suits(row: Any) -> bool:
        asked.append(row.id)
        return row.id == shown[-1]

    if choosy:
        assert transitions.claim(jobs.store, "w", 1.0, suits).id == shown[-1]
        assert asked == shown
    else:
        assert [transitions.claim(jobs.store, f"w{n}", 1.0).id for n in range(6)] == shown


def test_a_paused_queue_gives_nothing(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)
    assert not transitions.paused(jobs.store)
    jobs.pause()
    assert transitions.paused(jobs.store)
    assert transitions.claim(jobs.store, "w", 1.0) is None
    jobs.resume()
    assert not transitions.paused(jobs.store)
    assert transitions.claim(jobs.store, "w", 1.0).id == job.id


def test_what_a_job_waits_for_is_told_once(jobs: Jobs, photo: Path) -> None:
    store, job_id, other = jobs.store, jobs.submit(photo, REQUEST).id, jobs.submit(photo, REQUEST).id
    untouched = row(store, other)
    revision = row(store, job_id)["revision"]
    reason = msg("No worker has {model}", model="svd")
    columns, events = written(store, job_id, lambda: transitions.explain_wait(store, job_id, reason, 5.0))
    assert columns == {"waits_for": write_message(reason), "revision": revision + 1}
    assert events == [(5.0, "log", "WARNING", "[WARN] No worker has svd", {})]
    assert written(store, job_id, lambda: transitions.explain_wait(store, job_id, reason, 6.0)) == ({}, [])
    columns, events = written(store, job_id, lambda: transitions.explain_wait(store, job_id, None, 7.0))
    assert columns == {"waits_for": "", "revision": revision + 2}
    assert events == []
    assert row(store, other) == untouched
    assert transitions.claim(store, "w", 8.0).id == job_id
    assert written(store, job_id, lambda: transitions.explain_wait(store, job_id, reason, 9.0)) == ({}, [])


def test_whose_a_job_is(store: Store, jobs: Jobs, photo: Path, running: str, result: VideoResult) -> None:
    waiting = jobs.submit(photo, REQUEST).id
    assert transitions.running_job(store, "w").id == running
    assert transitions.running_job(store, "other") is None
    assert transitions.running_job(store, "") is None
    assert not transitions.is_done_by(store, running, "w")
    assert transitions.finish(store, running, "w", result, 2.0)
    assert transitions.running_job(store, "w") is None
    assert transitions.is_done_by(store, running, "w")
    assert not transitions.is_done_by(store, running, "other")
    assert not transitions.is_done_by(store, waiting, "w")


def test_a_lease_tells_of_a_wish_to_cancel(store: Store, running: str) -> None:
    transitions.ask_cancel(store, running, 2.0)
    assert transitions.lease_status(store, running, "w") == (True, True)


def test_a_finished_job(store: Store, running: str, result: VideoResult) -> None:
    transitions.renew(store, running, "w", BEGUN)
    revision = row(store, running)["revision"]
    made = replace(result, stage_seconds={"sampling": 2.5}, warnings=("smaller",))
    columns, events = written(store, running, lambda: transitions.finish(store, running, "w", made, 4.0))
    assert json.loads(columns.pop("result")) == {
        "width": 848,
        "height": 480,
        "frames": 72,
        "fps": 12,
        "stage_seconds": {"sampling": 2.5},
    }
    assert read_messages(columns.pop("warnings")) == (as_message("smaller"),)
    assert columns == {"status": "done", "finished": 4.0, "fraction": 1.0, "eta": 0.0, "revision": revision + 1}
    assert events == [(4.0, "status", "", "done", {})]
    assert not has_preview(store, running)


@pytest.mark.parametrize(("error", "code"), [("why", codes.UNFORESEEN), (msg("why").coded("FM-GPU-001"), "FM-GPU-001")])
def test_a_failed_job(store: Store, running: str, error: str, code: str) -> None:
    transitions.renew(store, running, "w", BEGUN)
    revision = row(store, running)["revision"]
    columns, events = written(store, running, lambda: transitions.fail(store, running, "w", error, 4.0, ["less"]))
    failure = Message.from_json(json.loads(columns.pop("failure")))
    assert (failure, failure.code) == ("why", code)
    assert read_messages(columns.pop("warnings")) == (as_message("less"),)
    assert columns == {"status": "failed", "finished": 4.0, "eta": None, "error": "why", "revision": revision + 1}
    assert events == [(4.0, "status", "", "failed", {})]
    assert not has_preview(store, running)


def test_a_cancelled_job(store: Store, running: str) -> None:
    transitions.renew(store, running, "w", BEGUN)
    revision = row(store, running)["revision"]
    columns, events = written(store, running, lambda: transitions.ask_cancel(store, running, 2.0))
    assert columns == {"cancel": True, "revision": revision + 1}
    assert events == []
    assert has_preview(store, running)
    columns, events = written(store, running, lambda: transitions.end_cancelled(store, running, "w", 4.0))
    assert columns == {"status": "cancelled", "finished": 4.0, "eta": None, "revision": revision + 2}
    assert events == [(4.0, "status", "", "cancelled", {})]
    assert not has_preview(store, running)


def test_a_waiting_job_is_cancelled_at_once_and_alone(jobs: Jobs, photo: Path) -> None:
    job_id, other = jobs.submit(photo, REQUEST).id, jobs.submit(photo, REQUEST).id
    untouched = row(jobs.store, other)
    revision = row(jobs.store, job_id)["revision"]
    columns, events = written(jobs.store, job_id, lambda: transitions.ask_cancel(jobs.store, job_id, 2.0))
    assert columns == {"status": "cancelled", "finished": 2.0, "cancel": True, "revision": revision + 2}
    assert events == [(2.0, "status", "", "cancelled", {})]
    assert row(jobs.store, other) == untouched


def test_a_job_that_is_handed_back(store: Store, running: str) -> None:
    transitions.renew(store, running, "w", BEGUN)
    revision = row(store, running)["revision"]
    columns, events = written(store, running, lambda: transitions.hand_back(store, running, "w", 4.0))
    assert columns == {"status": "queued", "worker": "", "eta": None, "revision": revision + 1}
    assert events == [(4.0, "status", "", "queued", {})]


def test_a_lost_job_waits_again(store: Store, running: str) -> None:
    transitions.renew(store, running, "w", BEGUN)
    seen = store.tables.Job.get_by_id(running)
    death = Death("FM-WORKER-005", {"free": "0.1 GB"})
    columns, events = written(store, running, lambda: transitions.mark_lost(store, seen, "", 4.0, death))
    assert json.loads(columns.pop("last_death")) == {"code": "FM-WORKER-005", "stage": "sampling", "attempt": 1}
    assert columns == {
        "status": "queued",
        "worker": "",
        "attempt": 2,
        "losses": 1,
        "lost_place": transitions.place_of("sampling", 3),
        "eta": None,
        "revision": seen.revision + 1,
    }
    text = "[WARN] FM-WORKER-005: The worker died at stage sampling, step 3 of 25; attempt 1 is lost"
    data = {"code": "FM-WORKER-005", "stage": "sampling", "attempt": 1, "free": "0.1 GB"}
    assert events == [(4.0, "log", "WARNING", text, data), (4.0, "status", "", "queued", {})]
    assert not has_preview(store, running)


def test_a_job_lost_too_often_fails_with_the_last_lines_and_what_was_tried(store: Store, running: str) -> None:
    transitions.note_changes(store, running, "w", [msg("smaller")])
    with store.write():
        store.tables.Job.update(losses=transitions.MAX_LOSSES - 1).where(store.tables.Job.id == running).execute()
    seen = store.tables.Job.get_by_id(running)
    output = "\n".join(f"line {n}" for n in range(1, 31))
    columns, events = written(store, running, lambda: transitions.mark_lost(store, seen, output, 4.0))
    failure = Message.from_json(json.loads(columns.pop("failure")))
    assert failure.code == codes.WORKER_DIED
    assert failure.values["lines"].splitlines() == [f"line {n}" for n in range(11, 31)]
    assert (failure.values["attempts"], failure.values["stage"]) == (3, "starting")
    assert columns.pop("error") == str(failure)
    assert read_messages(columns.pop("warnings")) == (as_message("smaller"),)
    assert columns == {
        "status": "failed",
        "finished": 4.0,
        "losses": transitions.MAX_LOSSES,
        "revision": seen.revision + 1,
    }
    died = "The worker died at stage starting, step 0 of 0; attempt 1 is lost"
    assert events[0][3] == f"[WARN] {codes.WORKER_ENDED}: {died}"
    assert events[1] == (4.0, "status", "", "failed", {})
    assert not has_preview(store, running)


def test_a_lost_job_whose_cancellation_was_wished_for_ends_cancelled(store: Store, running: str) -> None:
    transitions.ask_cancel(store, running, 2.0)
    seen = store.tables.Job.get_by_id(running)
    columns, events = written(store, running, lambda: transitions.mark_lost(store, seen, "", 4.0))
    assert columns == {"status": "cancelled", "finished": 4.0, "revision": seen.revision + 1}
    assert [event[1] for event in events] == ["log", "status"]


def test_the_furthest_place_of_a_loss_is_remembered(store: Store, running: str) -> None:
    """A job that comes less far the second time is not further the third time."""
    for worker, step, losses in (("w", 5, 1), ("v", 2, 2)):
        transitions.renew(store, running, worker, {"stage": "sampling", "step": step})
        transitions.mark_lost(store, store.tables.Job.get_by_id(running), "", 2.0)
        now = row(store, running)
        assert (now["losses"], now["lost_place"]) == (losses, transitions.place_of("sampling", 5))
        transitions.claim(store, "v", 3.0)


@pytest.mark.parametrize(("stage", "found"), [("", Stage.LOADING), ("decoding", Stage.DECODING)])
def test_where_memory_ran_out(store: Store, running: str, stage: str, found: Stage) -> None:
    transitions.renew(store, running, "w", {"stage": stage})
    death = Death("FM-WORKER-005", {"free": "0.1 GB"})
    transitions.mark_lost(store, store.tables.Job.get_by_id(running), "", 2.0, death)
    assert transitions.killed_for_memory(store, running, 2) is found
    assert transitions.killed_for_memory(store, "no such job", 2) is None


def test_another_death_says_nothing_about_memory(store: Store, running: str) -> None:
    transitions.mark_lost(store, store.tables.Job.get_by_id(running), "", 2.0, Death())
    assert transitions.killed_for_memory(store, running, 2) is None


def test_changes_of_the_plan_are_added_up_by_the_jobs_worker_alone(store: Store, running: str) -> None:
    transitions.note_changes(store, running, "w", [msg("a"), msg("b")])
    columns, events = written(store, running, lambda: transitions.note_changes(store, running, "w", [msg("c")]))
    assert read_messages(columns.pop("tried")) == ("a", "b", "c")
    assert (columns, events) == ({}, [])
    assert written(store, running, lambda: transitions.note_changes(store, running, "v", [msg("d")])) == ({}, [])


def test_places_count_stages_before_steps() -> None:
    loading = next(iter(Stage))
    assert transitions.place_of("", 7) == -1
    assert transitions.place_of(loading, 0) == 0
    assert transitions.place_of("sampling", 10**7) < transitions.place_of(list(Stage)[-1], 0)
    assert transitions.place_of("sampling", 8) == transitions.place_of("sampling", 7) + 1


def test_an_event_keeps_its_values(jobs: Jobs, running: str, settings: Settings) -> None:
    data = {"code": "FM-GPU-005", "share": 4}
    with jobs.store.write():
        transitions.add_event(jobs.store, running, 3.0, "watch", "idle", "WARNING", data)
        transitions.add_event(jobs.store, running, 4.0, "log", "plain")
    told, plain = jobs.events_since(running)[-2:]
    assert (told.time, told.kind, told.level, told.text, told.data) == (3.0, "watch", "WARNING", "idle", data)
    assert (plain.level, plain.data) == ("", {})


def test_a_job_that_is_gone_has_no_end(store: Store, running: str, result: VideoResult) -> None:
    """Its row may be lost with a damaged database while it runs."""
    assert not transitions.finish(store, "no such job", "w", result, 2.0)
    assert not transitions.fail(store, "no such job", "w", "why", 2.0)
