"""Every row of docs/troubleshooting.md, injected: the right code, cause and fix stand in doctor, command and page.

T1 and T2 are in test_kills, T8 in test_one_studio.
"""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fanslymotion.docs import troubleshooting
from fanslymotion.errors import BadInput
from fanslymotion.messages import as_message, codes, texts
from fanslymotion.pipeline.families.svd import conditioning, model
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import load_presets
from fanslymotion.queue.crash_diagnosis import find_cause
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.host import MACHINE
from fanslymotion.queue.liveness.recovery import acquire_lock, lock_path
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.rows import write_message
from fanslymotion.queue.types import Job, Status
from fanslymotion.queue.worker.attempt import make_produce, process_video_generation
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests.nvml import install
from fanslymotion.tests.studio import wait_for
from fanslymotion.ui.page_state import machine_json
from fanslymotion.ui.serializers import event_json, job_json

from .told import Told

pytestmark = pytest.mark.faults


@pytest.fixture
def run_here(jobs: Jobs) -> Callable[[Job], Job]:
    """One attempt of the next job as the worker makes it, in this process, where faults can be put."""

    def run(job: Job) -> Job:
        row = transitions.claim(jobs.store, "w", time.time())
        assert row is not None
        assert row.id == job.id
        process_video_generation(jobs.store, row, "w", make_produce(jobs.store, ModelCache()), lambda _: None)
        return jobs.get(job.id)

    return run


def out_of_memory(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def log_of(jobs: Jobs, job: Job) -> str:
    return "\n".join(event.text for event in jobs.events_since(job.id, 0, 10_000) if event.kind == "log")


def test_t3_no_memory_to_load_the_model(told: Told, run_here, submit, jobs: Jobs, monkeypatch) -> None:
    monkeypatch.setattr(model, "_part", out_of_memory)
    job = run_here(submit())
    assert job.status is Status.FAILED
    told.everywhere(job, "FM-MEM-001", "retry")
    assert "[ERROR] FM-MEM-001: the memory is too small" in log_of(jobs, job)


def test_t4_no_memory_while_generating(told: Told, run_here, submit, jobs: Jobs, monkeypatch) -> None:
    """At a size of which the model can still draw less, and of which no smaller one can be chosen."""
    small = told.settings.home / "presets" / "resolutions.toml"
    small.write_text("[tiny]\nwidth = 160\nheight = 96\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(conditioning, "encode", out_of_memory)
        job = run_here(submit(steps=1, seconds=6))
    assert job.status is Status.FAILED
    said = told.everywhere(job, "FM-MEM-002", "retry")
    assert said["tried"], "what was tried is told"
    assert all(f"[WARN] {step}" in log_of(jobs, job) for step in said["tried"])
    assert run_here(submit(steps=1, seconds=6)).status is Status.DONE, "the next job is not harmed"


def test_t5_a_worker_that_hangs(told: Told, jobs: Jobs, settings: Settings) -> None:
    """Its lock is held and its heartbeat old; that the watchdog ends it is shown by test_killed_worker."""
    lock = acquire_lock(lock_path(settings.home, "w"))
    long_ago = time.time() - 300
    row = {"host": "h", "pid": 1, "state": "running", "heartbeat": long_ago, "started": long_ago}
    jobs.store.tables.Worker.insert(id="w", machine=MACHINE, lock=str(lock_path(settings.home, "w")), **row).execute()
    assert "last heartbeat" in told.by_doctor("FM-WORKER-008")["cause"]
    assert machine_json(jobs, None)["workers"][0]["alive"]
    assert lock is not None


def test_t6_an_error_nobody_foresaw(told: Told, run_here, submit, jobs: Jobs, monkeypatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(conditioning, "encode", broken)
    job = run_here(submit())
    page = job_json(job, load_presets(told.settings))
    assert page["diagnosis"]["en"]["code"] == "FM-JOB-000"
    assert "ZeroDivisionError" in page["error"]
    lines = [event_json(event) for event in jobs.events_since(job.id, 0, 1000)]
    assert any(level == "ERROR" and "Traceback" in text for _, _, _, level, text in lines)
    assert "Traceback" in told.command("jobs", "logs", job.id).stdout
    assert told.by_doctor("FM-JOB-001")["result"] == "warn"


def test_t7_no_worker_is_running(told: Told, jobs: Jobs, submit) -> None:
    job = submit()
    assert told.by_doctor("FM-WORKER-001")["result"] == "warn"
    assert machine_json(jobs, None)["workers"] == []
    assert "No worker is running" in told.command("jobs", "show", job.id).stderr


def test_t9_a_queue_that_does_not_answer(told: Told, settings: Settings) -> None:
    assert not [check for check in told.doctor() if check["key"] == "queue" and check["code"]]
    for left in settings.home.glob("huey.db*"):
        left.unlink()
    (settings.home / "huey.db").mkdir()
    assert told.by_doctor("FM-QUEUE-001")["result"] == "broken"


@pytest.mark.soak
def test_t10_a_card_that_does_not_rise(told: Told, jobs: Jobs, start, submit, tmp_path: Path) -> None:
    start(**install(tmp_path / "driver", load=3, idle_seconds=1))
    job = submit(steps=100)
    wait_for(lambda: any(event.kind == "fault" for event in jobs.events_since(job.id, 0, 10_000)), 120)
    fault = next(event for event in jobs.events_since(job.id, 0, 10_000) if event.kind == "fault")
    page = event_json(fault)[-1]
    assert page["en"]["code"] == page["ru"]["code"] == "FM-GPU-005"
    assert "3 %" in page["en"]["cause"]
    assert "FM-GPU-005" in told.command("jobs", "logs", job.id).stdout
    assert told.by_doctor("FM-GPU-005")["key"] == "watch"
    samples = [json.loads(event.text) for event in jobs.events_since(job.id, 0, 10_000) if event.kind == "watch"]
    assert all(sample["name"] == "NVIDIA GeForce RTX 3060" for sample in samples)
    jobs.cancel(job.id)


def test_t11_a_cpu_build_beside_an_nvidia_card_and_t12_does_the_model_load(told: Told, tmp_path: Path) -> None:
    """One call of the command tells both. A torch for CUDA is no CPU build: with it the second alone."""
    card = {} if torch.version.cuda else install(tmp_path / "driver", load=0, idle_seconds=1)
    checks = told.doctor("--load", "--language", "en", **card)
    (load,) = [check for check in checks if check["key"] == "load"]
    assert load["result"] == "ok"
    assert "loaded in" in load["detail"]
    if card:
        (found,) = [check for check in checks if check["code"] == "FM-GPU-002"]
        assert found["result"] == "broken"
        assert "NVIDIA GeForce RTX 3060" in found["cause"]
        assert "setup" in found["fix"]


def test_t13_smaller_settings_in_one_click(told: Told, jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, VideoRequest(resolution="1080p"))
    transitions.claim(jobs.store, "w", 1.0)
    transitions.fail(jobs.store, job.id, "w", as_message("the memory is too small", codes.MEMORY), 2.0)
    said = told.everywhere(job, "FM-MEM-002", "retry_smaller")
    assert said["resolution"] == "720p"
    assert "720p" in said["fix"]


def test_t14_it_works_from_any_folder(told: Told, jobs: Jobs, settings: Settings) -> None:
    assert told.command("jobs", "list").returncode == 0
    lost = "ModuleNotFoundError: No module named 'fanslymotion'"
    row = {"host": "h", "pid": 1, "state": "crashed", "heartbeat": 1.0, "started": 1.0, "last_output": lost}
    row["cause"] = write_message(find_cause(lost, 1))
    jobs.store.tables.Worker.insert(id="w", machine=MACHINE, lock="", **row).execute()
    assert "fanslymotion" in told.by_doctor("FM-WORKER-006")["cause"]


def test_t15_a_model_that_is_not_here(told: Told, jobs: Jobs, settings: Settings, photo: Path) -> None:
    with pytest.raises(BadInput, match="models download svd-xt"):
        jobs.submit(photo, VideoRequest(model="svd-xt"))
    job = jobs.submit(photo, VideoRequest())
    transitions.claim(jobs.store, "w", 1.0)
    transitions.fail(jobs.store, job.id, "w", as_message("no model folder", codes.MODEL_ABSENT), 2.0)
    told.everywhere(job, "FM-MODEL-001", "download")


def test_the_table_names_every_code_and_every_row() -> None:
    page = troubleshooting.PAGE.read_text(encoding="utf-8")
    assert all(f"| T{row} |" in page for row in range(1, 16))
    assert page == troubleshooting.with_tables(page), "python docs/troubleshooting.py writes it anew"
    assert set(re.findall(r"FM-[A-Z]+-\d{3}", page)) == set(texts.codes())
    for path in re.findall(r"tests/[\w/.]+", page):
        assert (ROOT / path).exists(), path
