"""Which waiting jobs a worker takes when others live beside it, here and on other machines."""

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.errors import ModelError
from fanslymotion.pipeline.hardware.devices import Cuda
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.hardware.units import GIB
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.queue.abilities import Abilities
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.liveness.recovery import acquire_lock, lock_path
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job, Status
from fanslymotion.queue.worker import claims
from fanslymotion.queue.worker.attempt import process_video_generation
from fanslymotion.queue.worker.claims import SILENT_SECONDS, Claims
from fanslymotion.settings import Settings

pytestmark = pytest.mark.both_databases(always=True)

MINI, SVD = VideoRequest(model="mini", seed=1), VideoRequest(model="svd-xt", seed=1)
CPU = Machine(ram_total=64 * GIB, ram_free=48 * GIB, cores=16, host="h")
GPU = replace(CPU, device="cuda", name="card", vram_total=24 * GIB, vram_free=23 * GIB, gpu_speed=20.0)
ALL = frozenset({"mini", "svd-xt"})

Register = Callable[..., None]
Submit = Callable[[VideoRequest], Job]


@pytest.fixture
def register(jobs: Jobs, settings: Settings) -> Register:
    """A worker's row. It lives: on this machine by its lock, on another one by its heartbeat."""

    def registered(name: str, machine: str = MACHINE, abilities: Abilities | None = None, state: str = "idle") -> None:
        path = lock_path(settings.home, name)
        locks.append(acquire_lock(path))
        values: dict[str, Any] = {"host": "h", "pid": 1, "state": state, "started": 0.0, "heartbeat": time.time()}
        told = abilities.write() if abilities else ""
        worker = jobs.store.tables.Worker
        worker.insert(id=name, machine=machine, lock=str(path), abilities=told, **values).execute()

    locks: list[Any] = []
    return registered


@pytest.fixture
def submit(jobs: Jobs, photo: Path) -> Submit:
    """A waiting job, as a page hands it in whose machine has its model."""

    def submitted(request: VideoRequest) -> Job:
        job, table = jobs.submit(photo, MINI), jobs.store.tables.Job
        table.update(request=json.dumps(request.to_json())).where(table.id == job.id).execute()
        return jobs.get(job.id)

    return submitted


@pytest.fixture
def me(jobs: Jobs, register: Register) -> Claims:
    """A worker without a GPU and without `svd-xt`."""
    register("me")
    mine = Claims(jobs.store, "me")
    mine.publish(0.0)
    return mine


def test_what_it_can_run_is_told(jobs: Jobs, me: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    (told,) = jobs.workers()
    assert told.abilities is not None
    assert told.abilities.models == {"mini"}
    assert (told.abilities.machine.device, told.vram) == ("cpu", 0)
    assert told.abilities.machine.host
    monkeypatch.setattr(Cuda, "here", staticmethod(lambda: Cuda(True, 1, 5 << 30)))
    me.publish(1.0)
    assert jobs.workers()[0].vram == 5 << 30, "the form counts its warm model's memory as free"


def test_alone_it_takes_everything(jobs: Jobs, me: Claims, submit: Submit, register: Register) -> None:
    register("starting", state="starting")
    register("gone", "another", Abilities(GPU, ALL))
    jobs.store.tables.Worker.update(heartbeat=1.0).where(jobs.store.tables.Worker.id == "gone").execute()
    job = submit(SVD)
    assert me.claim(time.time()).id == job.id


@pytest.mark.parametrize("machine", [MACHINE, "another"])
def test_a_job_is_left_to_a_living_worker_with_a_gpu(
    jobs: Jobs, me: Claims, submit: Submit, register: Register, machine: str
) -> None:
    register("gpu", machine, Abilities(GPU, frozenset({"mini"})), state="running")
    submit(MINI)
    assert me.claim(time.time()) is None
    assert jobs.list()[0].waits_for == "", "it waits for its turn, as every job does"


def test_it_takes_what_the_others_cannot_and_keeps_the_order(
    jobs: Jobs, me: Claims, submit: Submit, register: Register
) -> None:
    register("gpu", "another", Abilities(GPU, frozenset({"svd-xt"})))
    theirs, first, second = submit(SVD), submit(MINI), submit(MINI)
    jobs.move(second.id, 1)
    assert [me.claim(time.time()).id, me.claim(time.time()).id, me.claim(time.time())] == [second.id, first.id, None]
    assert jobs.get(theirs.id).status is Status.QUEUED


def test_equal_workers_share_the_jobs(jobs: Jobs, me: Claims, submit: Submit, register: Register) -> None:
    own = jobs.workers()[0].abilities
    register("twin", abilities=own)
    made = [submit(MINI).id for _ in range(2)]
    twin = Claims(jobs.store, "twin")
    twin.publish(0.0)
    assert [me.claim(time.time()).id, twin.claim(time.time()).id] == made


def test_a_model_that_no_living_worker_has_is_waited_for_and_said_once(
    jobs: Jobs, me: Claims, submit: Submit, register: Register
) -> None:
    register("far", "another", Abilities(GPU, frozenset({"mini"})))
    job = submit(SVD)
    for _ in range(2):
        assert me.claim(time.time()) is None
    waiting = jobs.get(job.id)
    assert waiting.status is Status.QUEUED
    assert waiting.waits_for.startswith("No worker that runs now has the model svd-xt; download it on one of their")
    assert waiting.waits_for.say("ru") != waiting.waits_for
    lines = [event.text for event in jobs.events_since(job.id) if event.kind == "log"]
    assert lines == [f"[WARN] {waiting.waits_for}"]
    worker = jobs.store.tables.Worker
    worker.update(abilities=Abilities(GPU, ALL).write()).where(worker.id == "far").execute()
    assert me.claim(time.time()) is None
    assert jobs.get(job.id).waits_for == "", "it has been downloaded there"
    assert transitions.claim(jobs.store, "far", 4.0).id == job.id


def test_workers_of_one_machine_let_it_fail_at_once(jobs: Jobs, me: Claims, submit: Submit, register: Register) -> None:
    """They share its models, and its owner reads at once what to do, as with one worker."""
    register("beside", abilities=Abilities(GPU, frozenset({"mini"})))
    job = submit(SVD)
    assert me.claim(time.time()).id == job.id


def test_a_model_that_turns_out_to_be_unusable_goes_to_another_worker(
    jobs: Jobs, me: Claims, submit: Submit, register: Register
) -> None:
    register("other", abilities=jobs.workers()[0].abilities)
    job = submit(MINI)

    def attempt(who: Claims, name: str) -> None:
        row = who.claim(time.time())
        assert row.id == job.id

        def produce(*_: object) -> Any:
            raise ModelError("its weights are damaged; get them again")

        process_video_generation(jobs.store, row, name, produce, lambda _: None, who.refuses)

    attempt(me, "me")
    left = jobs.get(job.id)
    assert (left.status, left.attempt) == (Status.QUEUED, 1)
    lines = "\n".join(event.text for event in jobs.events_since(job.id))
    assert "The model cannot be used here: its weights are damaged; get them again. The job is left to another" in lines
    assert me.claim(time.time()) is None, "not again, until its models change"
    other = Claims(jobs.store, "other")
    other.publish(0.0)
    attempt(other, "other")
    failed = jobs.get(job.id)
    assert (failed.status, failed.error) == (Status.FAILED, "its weights are damaged; get them again")


def test_a_refused_job_is_tried_again_when_the_models_have_changed(
    jobs: Jobs, settings: Settings, me: Claims, submit: Submit, register: Register, tiny_model: Path
) -> None:
    register("other", "another", Abilities(CPU, frozenset({"mini"})))
    job = submit(MINI)
    assert me.refuses(job)
    assert me.claim(time.time()) is None
    me.publish(5.0)
    assert me.claim(time.time()) is None
    shutil.copytree(tiny_model, settings.models / "svd-xt", dirs_exist_ok=True)
    try:
        me.publish(60.0)
    finally:
        shutil.rmtree(settings.models / "svd-xt")
    assert me.claim(time.time()).id == job.id


def test_a_folder_that_is_not_here_is_left_to_machines_where_it_may_be(
    jobs: Jobs, me: Claims, submit: Submit, register: Register, tmp_path: Path
) -> None:
    register("far", "another", Abilities(CPU, frozenset()))
    job = submit(replace(MINI, model=str(tmp_path / "gone")))
    assert me.claim(time.time()) is None
    told = next(one for one in jobs.workers() if one.id == "me").abilities
    assert told is not None
    assert told.refused == {job.id}, "so that the other one knows"
    assert jobs.get(job.id).waits_for == ""
    worker = jobs.store.tables.Worker
    refused = Abilities(CPU, frozenset(), frozenset({job.id})).write()
    worker.update(abilities=refused).where(worker.id == "far").execute()
    assert me.claim(time.time()) is None
    assert "No worker that runs now has a model in the folder" in jobs.get(job.id).waits_for


def test_no_job_is_left_to_a_worker_that_hangs(
    jobs: Jobs, me: Claims, submit: Submit, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds its lock; without a supervisor nothing restarts it."""
    register("gpu", abilities=Abilities(GPU, frozenset({"mini"})))
    job, now = submit(MINI), [100.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    assert me.claim(time.time()) is None
    now[0] += SILENT_SECONDS + 1
    worker = jobs.store.tables.Worker
    worker.update(beats=1).where(worker.id == "gpu").execute()
    assert me.claim(time.time()) is None, "it has said something meanwhile"
    now[0] += SILENT_SECONDS + 1
    assert me.claim(time.time()).id == job.id


def test_a_share_that_does_not_answer_keeps_no_worker_from_its_beats(
    jobs: Jobs, me: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked through all models between two beats, was taken for hung, and killed."""
    answer, answered = threading.Event(), threading.Event()

    def slow(presets: Presets, settings: Settings) -> dict[str, str]:
        answer.wait(20)
        answered.set()
        return {"mini": "1", "svd-xt": "2"}

    monkeypatch.setattr(claims, "whole_models", slow)
    for now in (100.0, 200.0):
        me.publish(now)
        assert not answered.is_set()
        assert jobs.workers()[0].abilities.models == {"mini"}, "what it knew"
    answer.set()
    me._looking.join(60)
    assert answered.is_set()
    me.publish(201.0)
    assert jobs.workers()[0].abilities.models == {"mini", "svd-xt"}
