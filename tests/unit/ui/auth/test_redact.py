"""What other logins do not see: crashes with other people's lines, other jobs, folders; and what a report holds."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fanslymotion.errors import StoreError
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.crash_diagnosis import find_cause
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import write_message
from fanslymotion.queue.types import Job
from fanslymotion.settings import ROOT, Settings
from fanslymotion.ui.auth.redact import without_paths
from fanslymotion.ui.context import Studio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ..conftest import ANNA, BEN

Browser = Callable[..., TestClient]

CAUSE = "Likely cause: not enough memory; close other programs."
CRASH = f"""{CAUSE}
[START] Job 0123456789ab: Катя на пляже.jpg, attempt 1
[INFO] Photo: /home/anna/Pictures/secret.jpg
Traceback (most recent call last):
  File "{ROOT}/pipeline/produce.py", line 74, in produce
  File "/home/anna/my files/.venv/lib/python3.11/site-packages/torch/nn/modules.py", line 3, in forward
MemoryError: Катя на пляже.jpg of 0123456789ab in C:\\Users\\anna\\Desktop\\x.png
(the worker ended with code -9)"""


@pytest.fixture
def crashed(studio: Studio, photo: Path) -> Job:
    """Anna's job was running when the worker died."""
    job = studio.jobs.submit(photo, VideoRequest(), name="Катя на пляже.jpg", owner="anna")
    row = {"host": "h", "pid": 1, "machine": MACHINE, "lock": "", "heartbeat": time.time(), "started": 1.0}
    table = studio.jobs.store.tables.Worker
    row |= {"last_output": CRASH, "cause": write_message(find_cause(CRASH, 1))}
    table.insert(id="w", state="crashed", job=job.id, **row).execute()
    return job


def test_only_the_machines_owner_reads_a_crash(studio: Studio, browser: Browser, crashed: Job) -> None:
    for path in ("/studio/machine", "/studio/system"):
        (hers,) = browser(ANNA).get(path).json()["workers"]
        assert (hers["last_output"], hers["job"]) == (CRASH, crashed.id), path
        (his,) = browser(BEN).get(path).json()["workers"]
        assert (his["last_output"], his["job"]) == (CAUSE, ""), path
    assert studio.machine("ben")["workers"][0]["last_output"] == CAUSE, "in the stream, too"
    assert crashed.id not in json.dumps(studio.machine("ben"))


def test_a_report_holds_the_traceback_and_nothing_private(browser: Browser, crashed: Job, settings: Settings) -> None:
    text = browser(ANNA).get("/studio/system").json()["report"]
    assert "in forward" in text
    assert "MemoryError" in text
    assert "site-packages" not in text or "modules.py" in text
    for private in ("Катя", "anna", "secret", "0123456789ab", "Users", "/home", str(settings.home), str(ROOT)):
        assert private not in text, private
    assert "forward" not in browser(BEN).get("/studio/system").json()["report"]


def test_what_paths_become(settings: Settings) -> None:
    for text, plain in {
        f"the disk of {settings.home}/jobs/1 is full": "the disk of 1 is full",
        f"there is no model folder {settings.models}/svd; download it": "there is no model folder svd; download it",
        "'/srv/a b/c d.png' cannot be read": "'c d.png' cannot be read",
        "C:\\Users\\anna\\x.png: gone": "x.png: gone",
        f"{settings.home} is full": f"{settings.home.name} is full",
        "step 1/2 at 12/24 fps, see https://example.org/a/b": "step 1/2 at 12/24 fps, see https://example.org/a/b",
        "[INFO] Finished: 848×480, 72 frames": "[INFO] Finished: 848×480, 72 frames",
    }.items():
        assert without_paths(text, settings) == plain


around = st.text(st.characters(codec="utf-8"), max_size=30)
names = st.text(st.sampled_from("абвxyz .-_()'"), min_size=1, max_size=12).map(lambda name: f"q{name}q")


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=around, after=around, below=st.lists(names, max_size=3), which=st.sampled_from(["home", "models"]))
def test_no_text_leaks_where_the_folders_are(
    tmp_path: Path, before: str, after: str, below: list[str], which: str
) -> None:
    home = tmp_path / "ANNA-K" / "мои видео" / "data"
    settings = Settings(home=home, models=home.parent / "models", database="sqlite:///x.db")
    path = "/".join([str(getattr(settings, which)), *below])
    for text in (f"{before}{path}{after}", json.dumps(f"{before} {path}: {after}"), f"{before}{path}/{after}"):
        found = without_paths(text, settings)
        assert str(home.parent) not in found
        assert "ANNA-K" not in found
        assert "мои видео" not in found


def test_no_path_reaches_a_login_that_does_not_own_the_machine(
    studio: Studio, browser: Browser, photo: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, models = str(settings.home), str(settings.models)
    studio.jobs.store.set_meta("notice", f"the job list was damaged; it was kept as {home}/jobs.damaged.db")
    job = studio.jobs.submit(photo, VideoRequest(), owner="ben")
    transitions.claim(studio.jobs.store, "w", 1.0)
    transitions.add_event(
        studio.jobs.store, job.id, 1.0, "log", f'[ERROR] x\n  File "{home}/y.py", line 1', level="ERROR"
    )
    transitions.fail(studio.jobs.store, job.id, "w", f"the disk of {job.folder} is full; free some space", 2.0)
    his = browser(BEN)
    mine = his.post("/studio/photos", content=photo.read_bytes()).json()["id"]
    answers = [
        his.get("/studio/options"),
        his.get("/studio/machine"),
        his.get("/studio/system"),
        his.get("/studio/doctor"),
        his.get(f"/studio/jobs/{job.id}"),
        his.get(f"/studio/jobs/{job.id}/log"),
        his.get("/studio/jobs?kind=unfinished"),
        his.post("/studio/jobs", json={"photos": [mine], "settings": {"model": "svd"}}),
        his.get("/studio/estimate?model=svd&seconds=6&quality=standard"),
    ]
    events = studio.jobs.events_since(job.id)
    monkeypatch.setattr(studio.jobs, "workers", lambda: (_ for _ in ()).throw(StoreError(f"{home}/jobs.db is locked")))
    answers.append(his.get("/studio/system"))
    assert answers[-1].status_code == 503
    assert "jobs.db is locked" in answers[-1].json()["error"]
    shown = [(answer.url.path, answer.text) for answer in answers]
    shown += [("stream", json.dumps([studio.job(studio.jobs.get(job.id)), *(studio.event(job, e) for e in events)]))]
    for path, text in shown:
        for folder in (home, models, home.encode("unicode_escape").decode(), str(ROOT)):
            assert folder not in text, path
    hers = browser(ANNA).get("/studio/options").json()
    assert any(models in (model["missing"] or {}).get("en", "") for model in hers["models"]), (
        "she may know where to put them"
    )
    assert any(model["missing"] for model in browser(BEN).get("/studio/options").json()["models"])
