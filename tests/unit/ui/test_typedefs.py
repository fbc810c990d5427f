"""What the page's scripts are told about the server's JSON (ui/static/types) is what the server sends."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.messages import Message, codes
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.state import DownloadState
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.store import transitions as state
from fanslymotion.queue.types import Job
from fanslymotion.queue.worker.device_samples import DeviceMeter
from fanslymotion.ui.context import Studio
from fanslymotion.ui.model_checks import ModelCheck
from starlette.testclient import TestClient

from .conftest import ANNA, BEN
from .typedefs import Typedefs

Browser = Callable[..., TestClient]


@pytest.fixture
def typedefs() -> Typedefs:
    return Typedefs()


@pytest.fixture
def running(studio: Studio, photo: Path) -> Job:
    """With a sample of the device, a fault and a line of log."""
    store, job = studio.jobs.store, studio.jobs.submit(photo, VideoRequest(), owner="anna")
    state.claim(store, "w", time.time())
    state.renew(store, job.id, "w", {"stage": "sampling", "step": 3, "steps": 25, "fraction": 0.5, "eta": 12.5})
    sample = DeviceMeter().look() | {"stage": "sampling"}
    for kind, text in (("log", "a line"), ("watch", json.dumps(sample)), ("fault", "FM-GPU-005")):
        data = {"seconds": 30.0, "load": 1.0, "why": "planned"} if kind == "fault" else None
        state.add_event(store, job.id, time.time(), kind, text, data=data)
    row: dict[str, Any] = {"host": "h", "pid": 1, "machine": MACHINE, "lock": "", "started": 1.0}
    store.tables.Worker.insert(id="w", state="running", job=job.id, heartbeat=time.time(), **row).execute()
    return studio.jobs.get(job.id)


def failed(studio: Studio, photo: Path) -> Job:
    job = studio.jobs.submit(photo, VideoRequest(resolution="1080p"), owner="anna")
    row = state.claim(studio.jobs.store, "w", 1.0)
    assert row is not None
    error = Message("out of memory", code=codes.MEMORY)
    state.fail(studio.jobs.store, row.id, "w", error, 2.0, ["smaller"])
    return studio.jobs.get(job.id)


def test_what_the_form_offers(browser: Browser, typedefs: Typedefs) -> None:
    told = browser(ANNA).get("/studio/options").json()
    assert typedefs.mistakes(told, "Options") == []
    assert any(model["missing"] for model in told["models"]), "both kinds are seen"
    assert told["upscalers"]


def test_jobs_in_each_state(studio: Studio, browser: Browser, photo: Path, done: Callable[..., Job], typedefs) -> None:
    ended = {done("anna").id: "FinishedJob", failed(studio, photo).id: "Job"}
    waiting = studio.jobs.submit(photo, VideoRequest(), owner="anna")
    client = browser(ANNA)
    for job, kind in (ended | {waiting.id: "Job"}).items():
        assert typedefs.mistakes(client.get(f"/studio/jobs/{job}").json(), kind) == []
    page = client.get("/studio/jobs?kind=unfinished").json()
    assert typedefs.mistakes(page, "Page") == []
    assert [bool(job["diagnosis"]) for job in page["jobs"]] == [True]
    assert [bool(job["warnings"]["ru"]) for job in page["jobs"]] == [True]


def test_the_machine_while_a_job_runs(browser: Browser, running: Job, typedefs: Typedefs) -> None:
    told = browser(ANNA).get("/studio/machine").json()
    assert typedefs.mistakes(told, "Machine") == []
    assert [job["id"] for job in told["active"]] == [running.id]
    assert len(told["workers"]) == 1


def test_events_of_each_kind(studio: Studio, running: Job, typedefs: Typedefs) -> None:
    told = {event.kind: studio.event(running, event) for event in studio.jobs.events_since(running.id, 0, 100)}
    assert told.keys() >= {"log", "watch", "fault"}
    for number, at, kind, level, text in told.values():
        assert typedefs.mistakes([number, at], "number[]") == []
        assert typedefs.mistakes([kind, level], "string[]") == []
        assert typedefs.mistakes(text, "Faults" if kind == "fault" else "string") == []
    sample = json.loads(told["watch"][4]) | {"time": told["watch"][1]}
    assert typedefs.mistakes(sample, "Sample") == []


def test_the_system_view(studio: Studio, browser: Browser, running: Job, typedefs: Typedefs) -> None:
    state_of_one = DownloadState("svd", "failed", code="FM-MODEL-005", error="no line", page="")
    Downloads(studio.settings).write(state_of_one)
    studio.model_checks._known["svd"] = ModelCheck("done", 5, 10, ("unet/x.safetensors",))
    client = browser(ANNA)
    told = client.get("/studio/system").json()
    Downloads(studio.settings).forget("svd")
    assert typedefs.mistakes(told, "System") == []
    assert {model["name"] for model in told["models"] if model["download"] and model["check"]} == {"svd"}
    doctor = client.get("/studio/doctor").json()
    assert typedefs.mistakes(doctor, "Doctor") == []
    assert {check["result"] for check in doctor["checks"]} != {"ok"}


def test_what_a_video_is_saved_as(browser: Browser, done: Callable[..., Job], typedefs: Typedefs) -> None:
    """One that is on its way, and one that has failed: `done`'s video has no frames."""
    client, job = browser(BEN), done("ben")
    told = client.post(f"/studio/jobs/{job.id}/exports", json={"format": "gif"}).json()
    assert typedefs.mistakes(told, "Export") == []
    while told["state"] != "failed":
        told = client.get(f"/studio/jobs/{job.id}/exports/{told['name']}").json()
    assert typedefs.mistakes(told, "Export") == []
    assert typedefs.mistakes(client.get("/studio/exports").json()["formats"], "string[]") == []


def test_photos_and_what_a_video_takes(browser: Browser, photo: Path, typedefs: Typedefs) -> None:
    client = browser(BEN)
    assert typedefs.mistakes(client.post("/studio/photos", content=photo.read_bytes()).json(), "Photo") == []
    costs = client.get("/studio/estimate?model=mini&seconds=6&quality=standard").json()
    assert typedefs.mistakes(costs, "Record<string, Cost>") == []
    assert "480p" in costs
    costs = client.get("/studio/estimate/models?resolution=480p&seconds=6&quality=standard").json()
    assert typedefs.mistakes(costs, "Record<string, ModelCost>") == []
    assert "mini" in costs


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ({"en": "x"}, "Words.ru is missing"),
        ({"en": "x", "ru": "x", "de": "x"}, "Words.de is not in ui/static/types"),
        ({"en": 1, "ru": "x"}, "Words.en is 1, not a string"),
        ({"en": None, "ru": "x"}, "Words.en is None, not a string"),
        ([], "Words is [], not Words"),
    ],
)
def test_mistakes_are_found(value: Any, mistake: str, typedefs: Typedefs) -> None:
    assert typedefs.mistakes(value, "Words") == [mistake]


def test_true_is_no_number(typedefs: Typedefs) -> None:
    assert typedefs.mistakes(True, "number | null") != []
    assert typedefs.mistakes({"done": 1}, "Model | null") != []
