"""How an attempt ends that is not the job's fault."""

from pathlib import Path
from typing import Any

import pytest
from fanslymotion.pipeline.request import VideoResult
from fanslymotion.presets import Presets
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Status
from fanslymotion.queue.worker import attempt as tasks

from ..conftest import REQUEST


def attempt(jobs: Jobs, produce: Any) -> None:
    row = transitions.claim(jobs.store, "w", 1.0)
    assert row is not None
    tasks.process_video_generation(jobs.store, row, "w", produce, lambda _: None)


def test_a_card_that_is_lost_hands_the_job_on_until_it_is_the_jobs_fault(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After hibernation CUDA's context is dead: the job is not, and a new worker takes it."""
    job = jobs.submit(photo, REQUEST)
    monkeypatch.setattr(tasks, "gpu_is_lost", lambda: True)

    def produce(job: Any, progress: Any) -> Any:
        raise RuntimeError("CUDA error: unknown error")

    for number in range(1, transitions.MAX_LOSSES):
        attempt(jobs, produce)
        found = jobs.get(job.id)
        assert (found.status, found.attempt) == (Status.QUEUED, number + 1)
    attempt(jobs, produce)
    assert jobs.get(job.id).status is Status.FAILED
    codes = [event.data["code"] for event in jobs.events_since(job.id, 0, 1000) if "code" in event.data]
    assert set(codes) == {"FM-GPU-009"}


def test_the_same_error_with_a_card_that_answers_fails_the_job(jobs: Jobs, photo: Path) -> None:
    job = jobs.submit(photo, REQUEST)

    def produce(job: Any, progress: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert")

    attempt(jobs, produce)
    found = jobs.get(job.id)
    assert found.status is Status.FAILED
    assert "device-side assert" in found.error


def test_a_draft_that_is_held_open_holds_up_no_cancellation(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows: a scanner has the finished file open, and the job was cancelled at the last moment."""
    job, remove = jobs.submit(photo, REQUEST), Path.unlink

    def produce(job: Any, _: Any) -> VideoResult:
        draft = job.folder / "draft-1.mp4"
        draft.write_bytes(b"video")
        transitions.ask_cancel(jobs.store, job.id, 2.0)
        return VideoResult(draft, 848, 480, 72, 12, {})

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".mp4":
            raise PermissionError(13, "in use")
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    attempt(jobs, produce)
    assert jobs.get(job.id).status is Status.CANCELLED


def test_a_preset_that_is_being_edited_fails_no_waiting_job(
    jobs: Jobs, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page goes on with the presets of before, too."""
    seen: list[int] = []

    def produced(request: Any, *, presets: Presets, **more: Any) -> Any:
        seen.append(presets.resolution("480p").width)
        raise RuntimeError("so far")

    monkeypatch.setattr("fanslymotion.pipeline.produce.produce", produced)
    file = jobs.settings.presets_dir / "resolutions.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    job = jobs.get(jobs.submit(photo, REQUEST).id)
    produce = tasks.make_produce(jobs.store, None)
    for text in ("['480p']\nwidth = 856\n", "['480p']\nwid", "['480p']\nwidth = 864\n"):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(RuntimeError, match="so far"):
            produce(job, lambda _: None)
    assert seen == [856, 856, 864]
