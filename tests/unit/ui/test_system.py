"""The System view's data: what is slow is kept, what runs is told, models are checked beside the page."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.doctor.checks import Finding
from fanslymotion.messages import msg
from fanslymotion.models.download.background import Downloads
from fanslymotion.models.download.state import DownloadState
from fanslymotion.pipeline.hardware.machine import Machine
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue import suitability
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.liveness.recovery import acquire_lock, lock_path
from fanslymotion.queue.store import transitions as state
from fanslymotion.queue.store.rescue import salvage
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.tests.own_models import use_folder
from fanslymotion.tests.studio import wait_for
from fanslymotion.tests.tiny_upscaler import RRDB, write
from fanslymotion.ui import context as studio_module
from fanslymotion.ui import model_checks, page_state
from fanslymotion.ui.cached import CachedResult
from fanslymotion.ui.context import Studio
from fanslymotion.ui.error_response import UNKNOWN, in_each_language
from fanslymotion.ui.model_checks import ModelChecks
from starlette.testclient import TestClient

from .conftest import ANNA, BEN

Browser = Callable[..., TestClient]

NO_ERROR = {"en": "", "ru": ""}


def test_a_slow_answer_is_made_once_and_nobody_waits_for_the_next_one() -> None:
    now, made = [0.0], []

    def slow() -> int:
        time.sleep(0.05)
        made.append(1)
        return len(made)

    async def ask() -> None:
        kept = CachedResult(slow, 60.0, lambda: now[0])
        assert await asyncio.gather(*(kept.get() for _ in range(10))) == [1] * 10
        now[0] = 59.0
        assert await kept.get() == 1
        now[0] = 61.0
        assert await kept.get() == 1, "the old one at once"
        await asyncio.sleep(0.3)
        assert await kept.get() == 2
        assert await kept.get(fresh=True) == 3

    asyncio.run(ask())


def test_folders_are_not_walked_on_every_look(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[Path] = []
    monkeypatch.setattr(studio_module, "folder_size", lambda folder: walked.append(folder) or 5)
    client = browser(BEN)
    for _ in range(5):
        assert client.get("/studio/system").json()["disk"]["jobs"] == 5
    assert len(walked) == 2


def test_the_doctor_runs_once_for_many_looks(studio: Studio, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """And once for both languages: words are chosen last."""
    runs: list[int] = []

    class Counting:
        def __init__(self, _settings: Settings) -> None:
            runs.append(1)

        def run(self) -> list[Finding]:
            return [Finding("disk", "ok", detail="disk", values={"free": f"{len(runs)} GB", "folder": "f"})]

    monkeypatch.setattr(studio_module, "Doctor", Counting)
    client = browser(ANNA)

    def said(query: str = "") -> str:
        return client.get(f"/studio/doctor{query}").json()["checks"][0]["detail"]

    assert [said() for _ in range(3)] == ["1 GB free in f"] * 3
    assert said("?language=ru") == "свободно 1 ГБ в f"
    assert said("?fresh=true") == "2 GB free in f"
    assert len(runs) == 2
    later = time.monotonic() + 3600
    monkeypatch.setattr(studio.findings, "_now", lambda: later)
    assert said("?language=ru") == "свободно 3 ГБ в f", "not what it was an hour ago"


def test_the_bug_report_of_a_russian_page_holds_the_checks(studio: Studio, browser: Browser) -> None:
    client = browser(ANNA)
    checks = client.get("/studio/doctor?language=ru").json()["checks"]
    report = json.loads(client.get("/studio/system").json()["report"])
    assert report["checks"] == [{key: one[key] for key in ("key", "result", "code")} for one in checks] != []


def test_no_job_is_shown_on_the_event_loop(
    studio: Studio, browser: Browser, photo: Path, done: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens the photo and asks the disk, for which all other requests would wait."""
    shown_in: list[str] = []
    show = studio.job

    def watched(job: Job) -> dict[str, Any]:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        shown_in.append(job.id)
        return show(job)

    monkeypatch.setattr(studio, "job", watched)
    client, ended = browser(BEN), done()
    waiting = studio.jobs.submit(photo, VideoRequest(), owner="ben")
    uploaded = client.post("/studio/photos", content=photo.read_bytes()).json()["id"]
    asked = [
        client.get(f"/studio/jobs/{ended.id}"),
        client.get("/studio/jobs"),
        client.post("/studio/jobs", json={"photos": [uploaded]}),
        client.post(f"/studio/jobs/{ended.id}/retry", json={}),
        client.post(f"/studio/jobs/{ended.id}/favourite", json={"favourite": True}),
        client.post(f"/studio/jobs/{waiting.id}/move", json={"place": 1}),
        client.post(f"/studio/jobs/{waiting.id}/cancel"),
    ]
    assert [answer.status_code for answer in asked] == [200] * len(asked), [answer.text for answer in asked]
    assert len(shown_in) == len(asked)


def test_a_notice_is_put_away_by_the_machines_owner(studio: Studio, browser: Browser, settings: Settings) -> None:
    notice = salvage.make_notice(salvage.Salvage(), settings.home / "a.db", settings)
    studio.jobs.store.set_meta("notice", json.dumps(notice.to_json()))
    hers, his = browser(ANNA), browser(BEN)
    assert hers.get("/studio/machine").json()["notice"]["en"] == notice
    told = his.get("/studio/machine").json()["notice"]["ru"]
    assert "список заданий был повреждён; он отложен как a.db" in told
    assert str(settings.home) not in told
    assert his.delete("/studio/notice").status_code == 400
    assert hers.get("/studio/machine").json()["notice"]["en"] == notice
    assert hers.delete("/studio/notice").status_code == 200
    assert his.get("/studio/machine").json()["notice"] == {"en": "", "ru": ""}


def test_a_notice_of_an_earlier_version_is_shown_as_it_is(studio: Studio, browser: Browser) -> None:
    studio.jobs.store.set_meta("notice", "the job list was damaged")
    assert browser(ANNA).get("/studio/machine").json()["notice"] == dict.fromkeys(
        ("en", "ru"), "the job list was damaged"
    )


def test_a_running_worker_tells_stage_heartbeat_and_samples(
    studio: Studio, browser: Browser, photo: Path, settings: Settings
) -> None:
    job = studio.jobs.submit(photo, VideoRequest(), owner="anna")
    store = studio.jobs.store
    state.claim(store, "w", 1.0)
    state.renew(store, job.id, "w", {"stage": "sampling"})
    for load in range(200):
        state.add_event(store, job.id, float(load), "watch", json.dumps({"device": "gpu", "load": load}))
    lock = acquire_lock(lock_path(settings.home, "w"))
    row = {"host": "h", "pid": 1, "machine": MACHINE, "lock": str(lock_path(settings.home, "w")), "started": 1.0}
    store.tables.Worker.insert(id="w", state="running", job=job.id, heartbeat=time.time() - 7, **row).execute()
    (worker,) = browser(BEN).get("/studio/system").json()["workers"]
    lock.release()
    assert worker["stage"] == "sampling"
    assert 7 <= worker["heartbeat_age"] < 60
    assert [sample["load"] for sample in worker["samples"]] == list(range(80, 200))
    assert worker["samples"][-1] == {"time": 199.0, "device": "gpu", "load": 199}
    assert worker["job"] == "", "it is Anna's"


def test_upscalers_are_told_beside_the_models_and_changed_by_the_same_route(
    browser: Browser, settings: Settings
) -> None:
    client = browser(ANNA)
    path = write(settings.models / "realesrgan-x4plus" / "RealESRGAN_x4plus.safetensors", RRDB)

    def found() -> dict:
        told = client.get("/studio/system").json()["upscalers"]
        assert told == client.post("/studio/models/realesrgan-x4plus/stop").json()["upscalers"]
        return {one["name"]: (one["state"], one["missing"] is None) for one in told}

    assert found() == {"realesrgan-general-x4v3": ("missing", False), "realesrgan-x4plus": ("ready", True)}
    offered = {one["name"]: one["missing"] for one in browser(BEN).get("/studio/options").json()["upscalers"]}
    assert offered["realesrgan-x4plus"] is None
    assert "its owner can download it" in offered["realesrgan-general-x4v3"]["en"]
    assert "хозяин компьютера" in offered["realesrgan-general-x4v3"]["ru"]
    assert browser(BEN).post("/studio/models/realesrgan-x4plus/remove").status_code == 400
    query = {"model": "mini", "seconds": 6, "quality": "standard"}
    costs = [
        client.get("/studio/estimate", params=query | more).json() for more in ({}, {"upscaler": "realesrgan-x4plus"})
    ]
    assert costs[1]["720p"]["seconds"] > costs[0]["720p"]["seconds"]
    assert client.get("/studio/estimate", params=query | {"upscaler": "realesrgan-general-x4v3"}).status_code == 400
    assert client.post("/studio/models/realesrgan-x4plus/remove").status_code == 200
    assert not path.exists()


def test_a_model_is_checked_beside_the_page(studio: Studio, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def checking(name, presets, settings, report) -> list[str]:
        report("unet/x.safetensors", 5, 10)
        return ["unet/x.safetensors"]

    monkeypatch.setattr(model_checks, "check", checking)
    assert browser(BEN).post("/studio/models/svd/check").status_code == 400, "the machine is Anna's"
    client = browser(ANNA)
    assert client.post("/studio/models/svd/check").status_code == 200

    def found() -> dict:
        return {model["name"]: model["check"] for model in client.get("/studio/system").json()["models"]}

    wait_for(lambda: found()["svd"]["status"] != "running")
    assert found()["svd"] == {
        "status": "done", "done": 5, "total": 10, "damaged": ["unet/x.safetensors"], "error": NO_ERROR
    }  # fmt: skip
    assert found()["mini"] is None


def test_a_check_can_be_stopped_and_says_what_is_wrong(
    studio: Studio, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = ModelChecks(settings)

    def endless(name, presets, settings, report) -> list[str]:
        while True:
            report("x", 1, 2)
            time.sleep(0.01)

    with monkeypatch.context() as patched:
        patched.setattr(model_checks, "check", endless)
        checks.start("svd")
        checks.start("svd")
        assert checks.to_json("svd")["status"] == "running"  # type: ignore[index]
        checks.stop("svd")
        wait_for(lambda: checks.to_json("svd")["status"] == "stopped")  # type: ignore[index]
    checks.start("svd")
    wait_for(lambda: checks.to_json("svd")["status"] == "failed")  # type: ignore[index]
    assert "models download svd" in checks.to_json("svd")["error"]["en"]  # type: ignore[index]


def test_a_check_that_fails_unforeseen_does_not_run_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[str]:
        raise MemoryError

    checks = ModelChecks(settings)
    monkeypatch.setattr(model_checks, "check", fail)
    checks.start("svd")
    wait_for(lambda: checks.to_json("svd")["status"] != "running")  # type: ignore[index]
    assert checks.to_json("svd") == {
        "status": "failed", "done": 0, "total": 0, "damaged": (), "error": in_each_language(UNKNOWN)
    }  # fmt: skip


@pytest.mark.parametrize("end", ["stop", "forget"])
def test_a_check_that_still_ends_says_nothing_of_the_next_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """A check was ended (by hand, or by a download) and begun again while its thread read a large piece."""
    checks, reading = ModelChecks(settings), [threading.Event(), threading.Event()]
    begun: list[threading.Event] = []

    def check(name, presets, settings, report) -> list[str]:
        own = reading[len(begun)]
        begun.append(own)
        own.wait(20)
        report("x", len(begun), 2)
        return [f"as seen by check {reading.index(own) + 1}"]

    monkeypatch.setattr(model_checks, "check", check)
    checks.start("svd")
    wait_for(lambda: len(begun) == 1)
    first = next(one for one in threading.enumerate() if one.name == "check svd")
    getattr(checks, end)("svd")
    checks.start("svd")
    wait_for(lambda: len(begun) == 2)
    reading[0].set()
    first.join(20)
    state = checks.to_json("svd")
    assert state is not None
    assert (state["status"], state["done"]) == ("running", 0)
    reading[1].set()
    wait_for(lambda: checks.to_json("svd")["status"] == "done")  # type: ignore[index]
    assert checks.to_json("svd")["damaged"] == ("as seen by check 2",)  # type: ignore[index]


def test_a_folder_of_ones_own_is_used_by_the_owner_only(
    browser: Browser, settings: Settings, tiny_model: Path, tmp_path: Path
) -> None:
    wanted = {"folder": str(tiny_model), "name": "mine"}
    assert browser(BEN).post("/studio/models", json=wanted).status_code in (400, 403, 404)
    told = browser(ANNA).post("/studio/models", json=wanted).json()
    assert told["name"] == "mine"
    assert {"mine": "ready"}.items() <= {model["name"]: model["state"] for model in told["models"]}.items()
    assert browser(ANNA).get("/studio/estimate?model=mine&seconds=6&quality=standard").status_code == 200
    wrong = browser(ANNA).post("/studio/models", json={"folder": str(tmp_path)})
    assert wrong.status_code == 400
    assert "is missing" in wrong.json()["error"]


def test_a_model_added_by_the_command_line_is_known_to_the_open_page(
    studio: Studio, browser: Browser, settings: Settings, tiny_model: Path
) -> None:
    def shown(view: str) -> set[str]:
        return {model["name"] for model in browser(ANNA).get(f"/studio/{view}").json()["models"]}

    for number, view in enumerate(("system", "options")):
        names = shown(view)
        use_folder(tiny_model, settings, f"added{number}")
        assert shown(view) - names == {f"added{number}"}, "at once, not after a second"
    (settings.presets_dir / "models" / "added0.toml").write_text("label = 3", encoding="utf-8")
    assert "added0" in studio.live_presets.now(fresh=True).models, "a mistake takes nothing away"


def test_a_failed_download_is_told_with_its_fault(studio: Studio, browser: Browser) -> None:
    state = DownloadState("svd", "failed", code="FM-MODEL-005", error="no line", page="")
    Downloads(studio.settings).write(state)
    try:
        models = {m["name"]: m for m in browser(ANNA).get("/studio/system").json()["models"]}
    finally:
        Downloads(studio.settings).forget("svd")
    fault = models["svd"]["download"]["fault"]
    assert fault["en"]["code"] == fault["ru"]["code"] == "FM-MODEL-005"
    assert fault["en"]["cause"] == "no line"
    assert "HF_ENDPOINT" in fault["ru"]["fix"]


def test_what_a_download_waits_for_and_fails_with_is_told_in_each_language(studio: Studio, browser: Browser) -> None:
    """Also by the file of its state, which another process writes; an earlier version wrote plain text."""
    downloads = Downloads(studio.settings)
    reason = msg("the server sent nothing")
    waits = msg("{reason}; next try in {seconds:.0f} s", reason=reason, seconds=8.2)

    def told() -> dict:
        models = {model["name"]: model for model in browser(ANNA).get("/studio/system").json()["models"]}
        return models["svd"]["download"]

    try:
        downloads.write(DownloadState("svd", "starting", message=waits, started=time.time()))
        assert told()["message"] == {
            "en": "the server sent nothing; next try in 8 s",
            "ru": "сервер ничего не прислал; следующая попытка через 8 с",
        }
        downloads.write(DownloadState("svd", "failed", code="FM-MODEL-005", error=reason))
        assert told()["error"] == {"en": "the server sent nothing", "ru": "сервер ничего не прислал"}
        assert told()["fault"]["ru"]["cause"] == "сервер ничего не прислал"
        path = downloads.folder / "svd.state.json"
        earlier = json.loads(path.read_text(encoding="utf-8")) | {"error": "plain words", "message": ""}
        path.write_text(json.dumps(earlier), encoding="utf-8")
        assert told()["error"] == {"en": "plain words", "ru": "plain words"}
    finally:
        downloads.forget("svd")


def test_the_estimate_says_time_and_memory_and_warns(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """T13."""
    address = "/studio/estimate?model=svd-xt&seconds=6&quality=standard&width=1600&height=900"
    small = Machine(cores=2, ram_total=16 << 30, ram_free=12 << 30, cpu_half=True)

    def look(*args: Any, **options: Any) -> Any:
        return plan_request(*args, **{**options, "machine": small})

    monkeypatch.setattr(suitability, "plan_request", look)
    told = browser(ANNA).get(address).json()["720p"]
    assert told["seconds"] > 60
    assert 0 < told["memory"] <= 12 << 30
    assert told["total"] == 16 << 30
    assert told["shrunk"]
    assert (told["width"], told["height"]) == (448, 256)
    assert told["fault"]["en"]["code"] == "FM-MEM-004"
    assert "448×256" in told["fault"]["ru"]["cause"]
    mini = browser(ANNA).get("/studio/estimate?model=mini&seconds=6&quality=standard").json()["480p"]
    assert not mini["shrunk"]
    assert mini["fault"] is None


def test_a_long_line_tells_its_first_jobs_and_the_number_of_the_others(
    browser: Browser, studio: Studio, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_state, "MOST_ACTIVE", 2)
    jobs = [studio.jobs.submit(photo, VideoRequest(seed=seed), owner="ben").id for seed in range(2)]
    told = browser(BEN).get("/studio/machine").json()
    assert ([job["id"] for job in told["active"]], told["unlisted"]) == (jobs, 0)
    for seed in range(2, 5):
        studio.jobs.submit(photo, VideoRequest(seed=seed), owner="ben")
    studio.jobs.submit(photo, VideoRequest(), owner="anna")
    told = browser(BEN).get("/studio/machine").json()
    assert ([job["id"] for job in told["active"]], told["unlisted"]) == (jobs, 3), "one's own alone"
