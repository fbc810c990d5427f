"""What a terminal says of a job: counts of what they name, times that can be known."""

from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.cli.job_text import left_text, settings_text, stage_text
from fanslymotion.messages import Message
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import read_loras
from fanslymotion.queue.types import Job, Status

RUNNING = Job(
    id="a" * 12,
    name="cat.jpg",
    owner="",
    request=VideoRequest(),
    status=Status.RUNNING,
    cancelling=False,
    attempt=1,
    created=1.0,
    started=2.0,
    finished=None,
    place=0,
    stage="sampling",
    step=9,
    steps=24,
    window=1,
    windows=1,
    fraction=0.4,
    eta_seconds=20.0,
    revision=1,
    preview_version=0,
    worker="w",
    error=Message(""),
    warnings=(),
    folder=Path("jobs"),
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "sampling, step 9 of 24"),
        ({"step": 0, "steps": 1}, "sampling"),
        ({"step": 33, "steps": 48, "window": 2, "windows": 2}, "sampling, window 2 of 2, step 9 of 24"),
        ({"step": 24, "steps": 48, "window": 2, "windows": 2}, "sampling, window 2 of 2"),
        ({"stage": "conditioning", "step": 0, "steps": 1}, "conditioning"),
        ({"stage": "decoding", "step": 3, "steps": 72}, "decoding, frame 3 of 72"),
        ({"stage": "loading", "part": "unet", "step": 1, "steps": 4}, "loading, unet, 2 of 4"),
    ],
)
def test_a_count_is_of_what_it_names(changes: dict, said: str) -> None:
    assert stage_text(replace(RUNNING, **changes)) == said


def test_a_paused_job_is_paused() -> None:
    assert stage_text(replace(RUNNING, status=Status.QUEUED, place=2), paused=True) == "paused"


@pytest.mark.parametrize(("eta", "said"), [(0.0, "a few seconds left"), (4.9, "a few seconds left"), (20, "20 s left")])
def test_no_time_is_left_that_cannot_be_known(eta: float, said: str) -> None:
    assert left_text(replace(RUNNING, eta_seconds=eta)) == said


STYLE = [{"name": "style", "strength": 0.5}]


def test_settings_are_told_without_those_that_are_not_set() -> None:
    assert settings_text(VideoRequest(seed=7)) == (
        "resolution 480p, seconds 6, quality standard, model mini, seed 7, fit crop, detail, mode best, shape photo"
    )
    asked = VideoRequest(seed=7, detail=False, loop=True, prompt="wind\nand \x1b[31mwaves", loras=read_loras(STYLE))
    said = settings_text(asked)
    assert "no detail" in said
    assert ", loop" in said
    assert "prompt wind and \\x1b[31mwaves, " in said
    assert "LoRA style:0.5" in said
