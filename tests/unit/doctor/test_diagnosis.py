"""Every way a job can fail leads to its own code, and to the one button that mends it."""

from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.doctor.diagnosis import diagnose, next_smaller
from fanslymotion.messages import Message, as_message, msg, texts
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.queue.crash_diagnosis import Death
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings


@pytest.fixture
def failed(settings: Settings, photo: Path) -> Job:
    jobs = Jobs(settings)
    job = jobs.submit(photo, VideoRequest(resolution="1080p"))
    transitions.claim(jobs.store, "w", 1.0)
    transitions.fail(jobs.store, job.id, "w", "", 2.0)
    return jobs.get(job.id)


DIED = Death().failure(3, "sampling", "fatal\n(the worker ended with code 3)")
KILLED = Death("FM-WORKER-005", {"free": "0.2 GB"}).failure(6, "sampling", "(the worker ended with code -9)")
HUNG = Death("FM-WORKER-003", {"seconds": 600.0}).failure(3, "sampling", "")
HELD = msg(
    "the memory is too small for this video, even with everything turned down ({error}).{holders} "
    "Close other programs, or choose a smaller resolution or another model",
    error="CUDA out of memory",
    holders=msg(" Video memory is held by {names}.", names="game.exe (900 MB), b"),
).coded("FM-MEM-002")


@pytest.mark.parametrize(
    ("error", "code", "action"),
    [
        (DIED, "FM-WORKER-004", "retry_smaller"),
        (KILLED, "FM-WORKER-005", "retry_smaller"),
        (HUNG, "FM-WORKER-003", "retry"),
        (HELD, "FM-MEM-002", "retry_smaller"),
        (HELD.coded("FM-MEM-001"), "FM-MEM-001", "retry_smaller"),
        (as_message("the disk", "FM-DISK-001"), "FM-DISK-001", "retry"),
        (as_message("frame 3 is black", "FM-VIDEO-002"), "FM-VIDEO-002", "retry"),
        (as_message("there is no model folder", "FM-MODEL-001"), "FM-MODEL-001", "download"),
        (as_message("could not be loaded", "FM-MODEL-006"), "FM-MODEL-006", "download"),
        (as_message("RuntimeError: CUDA error", "FM-GPU-008"), "FM-GPU-008", "retry"),
        (as_message("the job's photo is gone", "FM-PHOTO-001"), "FM-PHOTO-001", "other_photo"),
        (as_message("ZeroDivisionError: division by zero"), "FM-JOB-000", "retry"),
        (as_message("words of before", "FM-JOB-002"), "FM-JOB-002", "retry"),
    ],
)
def test_each_code_has_its_card(failed: Job, presets: Presets, error: Message, code: str, action: str) -> None:
    found = diagnose(replace(failed, error=error, stage="sampling"), presets)
    assert found is not None
    assert (found.code, found.action) == (code, action)
    for language in ("en", "ru"):
        said = found.say(language)
        assert all((said["title"], said["cause"], said["fix"]))
        assert texts.UNKNOWN[language] not in said["cause"] + said["fix"]


def test_only_failed_jobs_have_one(failed: Job, presets: Presets, settings: Settings, photo: Path) -> None:
    assert diagnose(Jobs(settings).submit(photo, VideoRequest()), presets) is None


def test_the_next_smaller_size(presets: Presets) -> None:
    assert next_smaller("1080p", presets) == "720p"
    assert next_smaller("720p", presets) == "480p"
    assert next_smaller("480p", presets) == ""
    assert next_smaller("gone", presets) == ""


@pytest.mark.parametrize("error", [HELD, KILLED])
def test_the_smallest_is_not_told_to_be_smaller(failed: Job, presets: Presets, error: Message) -> None:
    small = replace(failed, error=error, stage="sampling", request=VideoRequest(resolution="480p"))
    found = diagnose(small, presets)
    assert found is not None
    assert found.action == "retry"
    assert "480p" not in found.say()["fix"]
    assert "mini" in found.say("ru")["fix"]


def test_what_the_diagnosis_says(failed: Job, presets: Presets) -> None:
    def said(error: Message) -> dict[str, dict]:
        found = diagnose(replace(failed, error=error, stage="sampling"), presets)
        assert found is not None
        return {language: found.say(language) for language in texts.LANGUAGES}

    killed = said(KILLED)
    assert "6 times; 0.2 GB of memory were free" in killed["en"]["cause"]
    assert "на этапе «генерация», 6 раз; перед этим было свободно 0,2 ГБ" in killed["ru"]["cause"]
    assert "There was no progress for 600 s (stage: generating)" in said(HUNG)["en"]["cause"]
    assert said(HELD)["en"]["cause"].endswith(" Video memory is held by game.exe (900 MB), b.")
    assert said(HELD)["ru"]["cause"].endswith(" Видеопамять занимают: game.exe (900 МБ), b.")
    assert "(the worker ended with code 3)" in said(DIED)["en"]["cause"]
    assert "GB are free in" in said(as_message("x", "FM-DISK-001"))["en"]["cause"]
    encoder = msg("{cause}\n{said}", cause=msg("ffmpeg was not found; {reinstall}", reinstall="x"), said="[libx264] y")
    said_of_it = said(encoder.coded("FM-VIDEO-001"))["ru"]
    assert said_of_it["cause"] == "ffmpeg не найден; x"
    assert said_of_it["error"] == "ffmpeg не найден; x\n[libx264] y", "all of it, for the details"


def test_a_row_of_an_earlier_version_keeps_its_words(failed: Job, presets: Presets, settings: Settings) -> None:
    store = Jobs(settings).store
    with store.write():
        old = {"error": "the disk of /d is full", "failure": "", "warnings": '["drawn smaller"]'}
        store.tables.Job.update(old).where(store.tables.Job.id == failed.id).execute()
    job = Jobs(settings).get(failed.id)
    assert (job.error, job.warnings) == ("the disk of /d is full", ("drawn smaller",))
    found = diagnose(job, presets)
    assert found is not None
    assert found.code == "FM-JOB-002"
    assert found.say("ru")["cause"] == "the disk of /d is full"
    assert found.say("ru")["tried"] == ["drawn smaller"]
