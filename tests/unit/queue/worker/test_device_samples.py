"""Samples of the card beside a running job: thin, with its stage, and one word when the card idles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fanslymotion.doctor.checks import Doctor
from fanslymotion.doctor.diagnosis import say_fault
from fanslymotion.errors import StoreError
from fanslymotion.messages import texts
from fanslymotion.pipeline.hardware import devices
from fanslymotion.pipeline.hardware.gpus import Gpus, GpuWatch
from fanslymotion.pipeline.hardware.torch_build import TorchBuild
from fanslymotion.pipeline.hardware.units import CONTEXT
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Event
from fanslymotion.queue.worker import device_samples
from fanslymotion.queue.worker.device_samples import KEPT, DeviceMeter, DeviceSampler, Downsampler, IdleDetector
from fanslymotion.settings import Settings
from fanslymotion.tests.nvml import Nvml
from fanslymotion.tests.studio import wait_for

GPU = {"device": "gpu", "name": "card", "used": 1, "total": 2, "temperature": None, "stage": "sampling"}


@pytest.fixture
def running(jobs: Jobs, photo: Path) -> str:
    job = jobs.submit(photo, VideoRequest())
    transitions.claim(jobs.store, "w", 1.0)
    return job.id


@pytest.fixture
def observe(jobs: Jobs, running: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Event]]:
    """Watch a running job with a card at `load` until `enough`; its events."""
    monkeypatch.setattr(device_samples, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(device_samples, "KEEP_SECONDS", 0.02)
    monkeypatch.setattr(device_samples, "IDLE_SECONDS", 0.05)

    def observed(load: float, stage: str, enough: Callable[[list[Event]], object], worker: str = "w") -> list[Event]:
        meter = DeviceMeter(GpuWatch(Nvml(load=load)))
        with DeviceSampler(jobs.store, running, worker, lambda: stage, meter) as watcher:
            wait_for(lambda: enough(jobs.events_since(running)))
        watcher._thread.join()
        return [event for event in jobs.events_since(running) if event.kind in ("watch", "fault", "log")]

    return observed


def kinds(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def test_samples_are_kept_with_their_stage(observe) -> None:
    events = observe(64, "sampling", lambda events: len(kinds(events, "watch")) > 3)
    sample = json.loads(kinds(events, "watch")[0].text)
    assert (sample["device"], sample["name"], sample["stage"]) == ("gpu", "NVIDIA GeForce RTX 3060", "sampling")
    assert (sample["load"], sample["used"], sample["total"]) == (64, 2 << 30, 12 << 30)
    assert not kinds(events, "fault")


def test_a_card_that_idles_while_sampling_is_told_once_with_cause_and_fix(
    observe, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_samples, "torch_build", lambda: TorchBuild("2.13.0+cpu"))
    events = observe(3, "sampling", lambda events: len(kinds(events, "watch")) > 12)
    (fault,) = kinds(events, "fault")
    said = say_fault(fault)
    assert said["code"] == "FM-GPU-005"
    assert "3 % on average" in said["cause"]
    assert "without support for this card" in said["cause"]
    assert "setup" in said["fix"]
    assert "без поддержки этой карты" in say_fault(fault, "ru")["cause"]
    found = [check for check in Doctor(settings).run() if check.key == "watch"]
    assert [(check.result, check.code) for check in found] == [("warn", "FM-GPU-005")]


BOTH = (Gpus("nvidia", cuda=(12, 6)), TorchBuild("2.13.0", (12, 6)))


def test_an_idling_card_is_told_though_the_first_write_failed(
    observe, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, failed = transitions.add_event, []

    def locked_once(store: Any, job_id: str, now: float, kind: str, *args: Any, **more: Any) -> None:
        if kind == "fault" and not failed:
            failed.append(kind)
            raise StoreError("the database is locked")
        add(store, job_id, now, kind, *args, **more)

    monkeypatch.setattr(transitions, "add_event", locked_once)
    events = observe(2, "sampling", lambda events: kinds(events, "fault"))
    assert failed
    assert [event.text for event in kinds(events, "fault")] == ["FM-GPU-005"]


@pytest.mark.parametrize(
    ("gpus", "build", "cuda", "why"),
    [
        (Gpus("nvidia", cuda=(12, 6)), TorchBuild("2.13.0+cpu"), devices.Cuda(False), "cpu_build"),
        (Gpus("nvidia", cuda=(11, 8)), TorchBuild("2.13.0", (12, 6)), devices.Cuda(False), "driver"),
        (*BOTH, devices.Cuda(False), "driver"),
        (*BOTH, devices.Cuda(True, 1 << 30, 9 << 30), "elsewhere"),
        (*BOTH, devices.Cuda(True, 1 << 30, CONTEXT), "planned"),
    ],
)
def test_why_a_card_idles(gpus, build, cuda, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_samples, "torch_build", lambda: build)
    monkeypatch.setattr(devices.Cuda, "here", staticmethod(lambda: cuda))
    meter = DeviceMeter(GpuWatch(Nvml()))
    monkeypatch.setattr(meter.watch, "describe", lambda: gpus)
    assert meter.idle_reason() == why
    for language in ("en", "ru"):
        assert texts.say("idle", why, {}, language)
        assert texts.say("idle", f"{why}_fix", {}, language)


def test_an_amd_card_without_rocm_is_no_matter_of_every_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "card0" / "device"
    device.mkdir(parents=True)
    (device / "mem_info_vram_total").write_text(f"{16 << 30}\n", encoding="utf-8")
    (device / "gpu_busy_percent").write_text("0\n", encoding="utf-8")
    monkeypatch.setattr(device_samples, "torch_build", lambda: TorchBuild("2.13.0+cpu"))
    assert DeviceMeter(GpuWatch(Nvml(broken=True), tmp_path)).look()["device"] == "cpu"
    monkeypatch.setattr(device_samples, "torch_build", lambda: TorchBuild("2.13.0+rocm7.1", hip=True))
    assert DeviceMeter(GpuWatch(Nvml(broken=True), tmp_path)).look()["device"] == "gpu"


def test_loading_does_not_count_as_idling(observe) -> None:
    events = observe(0, "loading", lambda events: len(kinds(events, "watch")) > 8)
    assert not kinds(events, "fault")


def test_work_in_between_begins_the_count_anew() -> None:
    now = [0.0]
    idle = IdleDetector(lambda: now[0])
    told = []
    for second, load in enumerate([0] * 20 + [80] + [0] * 35 + [0] * 35):
        now[0] = float(second)
        told.append(idle.update({**GPU, "load": load}))
    assert [second for second, yes in enumerate(told) if yes] == [51]


def test_a_job_that_is_no_longer_ours_gets_no_samples(observe, jobs: Jobs, running: str) -> None:
    looked = []
    observe(50, "sampling", lambda events: looked.append(1) or len(looked) > 5, worker="another")
    assert not kinds(jobs.events_since(running), "watch")


def test_an_hour_of_samples_stays_small() -> None:
    now = [0.0]
    thin = Downsampler(lambda: now[0])
    kept = []
    for second in range(3600):
        now[0] = float(second)
        if sample := thin.add({**GPU, "load": float(second % 2 * 100)}):
            kept.append(sample["load"])
    assert KEPT < len(kept) < 5 * KEPT
    assert all(abs(load - 50) <= 25 for load in kept[1:])


def test_without_a_card_the_processor_is_watched(tmp_path: Path) -> None:
    sample = DeviceMeter(GpuWatch(Nvml(broken=True), tmp_path)).look()
    assert sample["device"] == "cpu"
    assert 0 <= sample["load"] <= 100
    assert 0 < sample["used"] < sample["total"]
