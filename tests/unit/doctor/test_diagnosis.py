"""Every way a job can fail leads to its own code, and to the one button that mends it."""

from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.doctor import texts
from fanslymotion.doctor.diagnosis import diagnose, next_smaller
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets
from fanslymotion.queue import state
from fanslymotion.queue.causes import Death
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings


@pytest.fixture
def failed(settings: Settings, photo: Path) -> Job:
    jobs = Jobs(settings)
    job = jobs.submit(photo, VideoRequest(resolution="1080p"))
    state.claim(jobs.store, "w", 1.0)
    state.fail(jobs.store, job.id, "w", "", 2.0)
    return jobs.get(job.id)


DIED = Death().sentence(3, "stage sampling")
KILLED = Death("FM-WORKER-005", {"free": "0.2 GB"}).sentence(6, "stage sampling")
HUNG = Death("FM-WORKER-003", {"seconds": 600.0}).sentence(3, "stage sampling")


@pytest.mark.parametrize(
    ("error", "stage", "code", "action"),
    [
        (f"{DIED}\nfatal\n(the worker ended with code 3)", "sampling", "FM-WORKER-004", "retry_smaller"),
        (f"{DIED}\n(the worker ended with code -9)", "sampling", "FM-WORKER-004", "retry_smaller"),
        (f"{KILLED}\n(the worker ended with code -9)", "sampling", "FM-WORKER-005", "retry_smaller"),
        (f"{HUNG}. Retry\n(the worker ended with code -9)", "sampling", "FM-WORKER-003", "retry"),
        ("the disk with /data/jobs is full; free some space", "decoding", "FM-DISK-001", "retry"),
        ("the memory is too small for this video, even", "sampling", "FM-MEM-002", "retry_smaller"),
        ("the memory is too small for this video, even", "loading", "FM-MEM-001", "retry_smaller"),
        ("the disk of /data is full; free some space", "sampling", "FM-DISK-001", "retry"),
        ("frame 3 is black though the photo is not; try", "decoding", "FM-VIDEO-002", "retry"),
        ("there is no model folder /m/svd; download it: x", "", "FM-MODEL-001", "download"),
        ("/m/unet could not be loaded: header too large; get", "loading", "FM-MODEL-006", "download"),
        ("RuntimeError: CUDA error: an illegal memory access", "sampling", "FM-GPU-008", "retry"),
        ("the finished video cannot be put into /x: denied", "saving", "FM-VIDEO-003", "retry"),
        ("ffmpeg was not found; reinstall it", "decoding", "FM-VIDEO-001", "retry"),
        ("the job's photo is gone from /x; submit", "", "FM-PHOTO-001", "other_photo"),
        ("resolution is '4k'; choose one of 480p", "", "FM-SET-001", "retry"),
        ("ZeroDivisionError: division by zero", "sampling", "FM-JOB-000", "retry"),
    ],
)
def test_each_error_has_its_code(failed: Job, presets: Presets, error: str, stage: str, code: str, action: str) -> None:
    found = diagnose(replace(failed, error=error, stage=stage), presets)
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


@pytest.mark.parametrize("code", ["the memory is too small", KILLED])
def test_the_smallest_is_not_told_to_be_smaller(failed: Job, presets: Presets, code: str) -> None:
    small = replace(failed, error=code, stage="sampling", request=VideoRequest(resolution="480p"))
    found = diagnose(small, presets)
    assert found is not None
    assert found.action == "retry"
    assert "480p" not in found.say()["fix"]
    assert "mini" in found.say("ru")["fix"]


def test_what_the_diagnosis_says(failed: Job, presets: Presets) -> None:
    def said(error: str, stage: str = "sampling") -> dict[str, dict]:
        found = diagnose(replace(failed, error=error, stage=stage), presets)
        assert found is not None
        return {language: found.say(language) for language in texts.LANGUAGES}

    killed = said(KILLED)
    assert "6 times; 0.2 GB of memory were free" in killed["en"]["cause"]
    assert "на этапе «рисование», 6 раз; перед этим было свободно 0,2 ГБ" in killed["ru"]["cause"]
    assert "Nothing moved for 600 s at stage drawing" in said(HUNG)["en"]["cause"]
    held = "the memory is too small (x). Video memory is held by game.exe (900 MB), b. Close other programs, or"
    assert said(held)["en"]["cause"].endswith(" Video memory is held by game.exe (900 MB), b.")
    assert "GB are free in" in said("the disk of /data is full; free")["en"]["cause"]
