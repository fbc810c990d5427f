"""SIGKILL, a hang, the out-of-memory killer: a new worker goes on, and the frames are those of an undisturbed run.

All with one supervisor. The worker that follows a killed one serves the next test: its start takes longer than a job.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from fanslymotion.bench.faults.processes import frames_hash
from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.pipeline.families.wan import random_model as wan
from fanslymotion.pipeline.families.wan_a14b import random_model as wan_a14b
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue import crash_diagnosis
from fanslymotion.queue.liveness import supervisor
from fanslymotion.queue.types import Job
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from fanslymotion.tests.moving_video import frames as frames_of
from fanslymotion.tests.moving_video import pictures
from fanslymotion.tests.studio import wait_for
from PIL import Image

from .conftest import check_balanced, done, logs, until

pytestmark = pytest.mark.faults

DISTILLED = {"steps": 4, "schedule": "flow", "shift": 5.0, "solver": "euler", "min_guidance": 1.0, "max_guidance": 1.0}


@pytest.fixture(scope="module")
def settings(module_settings: Settings) -> Settings:
    return module_settings


@pytest.fixture(scope="module", autouse=True)
def watching(settings: Settings) -> Iterator[supervisor.Supervisor]:
    with supervisor.Supervisor(settings) as watching:
        yield watching


def test_a_killed_worker_costs_little_and_says_where_it_went_on(jobs, submit, kill_worker, tiny_model: Path) -> None:
    check_balanced(jobs, submit, kill_worker, tiny_model)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("family", "frames", "steps", "ends"),
    [
        pytest.param(ltx, 97, 40, True, id="ltx, with a last picture"),
        pytest.param(wan, 73, 25, False, id="wan, with UniPC's history"),
    ],
)
def test_a_job_with_a_prompt_goes_on_in_its_window(
    jobs, submit, kill_worker, photo, tmp_path, family, frames, steps, ends
) -> None:
    """Of a model that draws half of the video in a window."""
    folder = family.build(tmp_path / "новая модель", frames=frames)
    wanted = {"model": str(folder), "quality": "sampled", "prompt": "waves 🌊 roll in", "steps": steps, "seconds": 6}
    last = None
    if ends:
        Image.open(photo).rotate(180).save(tmp_path / "end.png")
        last = (tmp_path / "end.png", "end.png")
    calm, job = submit(**wanted, last=last), submit(**wanted, last=last)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    kill_worker()
    ended = done(jobs, job)
    assert ended.attempt == 2
    assert (ended.frames, ended.fps) == (6 * 24, 24)
    told = logs(jobs, job.id)
    assert "resumed at window 2" in told
    assert told.count("Encoding the prompt") == 0, "the calm job's is on the disk"
    assert frames_hash(ended.video) == frames_hash(jobs.get(calm.id).video)


@pytest.fixture
def loras(settings: Settings) -> Iterator[tuple[LoraChoice, ...]]:
    """LoRAs that change one transformer each, and one for both. The folder of models is other tests', too."""
    files = [
        settings.models / "loras" / f"{name}.safetensors" for name in ("дождь_high_noise", "дождь_low_noise", "soft")
    ]
    for n, file in enumerate(files, 1):
        pair = {"lora_A.weight": torch.full((2, 24), 0.02 * n), "lora_B.weight": torch.ones(24, 2)}
        tensors = {f"transformer.blocks.0.attn1.to_q.{key}": tensor for key, tensor in pair.items()}
        tiny_lora.write(file, tensors)
    yield LoraChoice("дождь", 0.8), LoraChoice("soft", 0.5)
    for file in files:
        file.unlink()


@pytest.mark.soak
def test_killed_in_either_of_two_transformers(jobs, submit, kill_worker, loras, tmp_path) -> None:
    """Twice in the second window, which begins with the first one's last frame; LoRAs are added anew each time."""
    folder = wan_a14b.build(tmp_path / "новая модель", sampling=DISTILLED, frames=49)
    wanted = {"model": str(folder), "quality": "sampled", "prompt": "waves 🌊 roll in", "steps": 60, "seconds": 6}
    wanted["loras"] = loras
    calm, job = submit(**wanted), submit(**wanted)

    def read() -> list[str]:
        return [line.split()[-4] for line in logs(jobs, job.id).splitlines() if "from the disk" in line]

    def computes(name: str, before: int) -> Callable[[Job], bool]:
        return lambda j: j.window >= 2 and len(read()) > before and read()[-1] == name

    for ready in (computes("transformer", 2), computes("transformer_2", 3)):
        until(lambda: jobs.get(job.id), ready)
        kill_worker()
    ended = done(jobs, job)
    assert ended.attempt == 3
    assert (ended.frames, ended.fps) == (6 * 16, 16)
    assert logs(jobs, job.id).count("Checkpoint found: resumed") == 2
    assert frames_hash(ended.video) == frames_hash(jobs.get(calm.id).video)
    assert [one["name"] for one in read_metadata(ended.video)["loras"]] == [one.name for one in loras]


@pytest.mark.soak
def test_a_continued_video_is_joined_to_what_was_deleted_meanwhile(jobs, submit, kill_worker) -> None:
    """Killed while the second part is made: both parts are in the file, frame for frame."""
    old = submit(shape="1:1", steps=12)  # a frame of the smallest size in the photo's own shape is too low for a photo
    first = done(jobs, old)
    seen = pictures(first.video)
    job = jobs.continue_video(first.id)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    jobs.delete(first.id)
    kill_worker()
    ended = done(jobs, job)
    assert ended.attempt == 2
    assert "resumed at window" in logs(jobs, job.id)
    found = frames_of(ended.video)
    assert [picture for _, picture in found][: len(seen)] == seen
    assert len(found) == ended.frames == 2 * first.frames - 1
    assert [time for time, _ in found] == pytest.approx([n / ended.fps for n in range(ended.frames)], abs=1e-3)
    longest = done(jobs, jobs.continue_video(ended.id))
    assert longest.frames == 3 * first.frames - 2
    assert pictures(longest.video)[: len(found)] == [picture for _, picture in found], "copied, not encoded anew"


@pytest.mark.skipif(sys.platform == "win32", reason="no process can be stopped there")
def test_a_hanging_worker_is_killed_and_its_job_resumed(jobs, submit, watching, monkeypatch) -> None:
    job = submit(steps=10)
    until(lambda: jobs.get(job.id), lambda j: j.stage == "sampling" and j.step > 2)
    hanging = next(w.pid for w in jobs.workers() if w.alive)
    os.kill(hanging, signal.SIGSTOP)
    with monkeypatch.context() as patch:  # for this one alone: a healthy step may take longer
        patch.setattr(watching, "_stall", 1.0)
        patch.setattr(supervisor, "SLOW_STEPS", 0)
        wait_for(lambda: not psutil.pid_exists(hanging))
    assert done(jobs, job).attempt == 2
    assert "No progress for " in logs(jobs, job.id)


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="there memory that runs out is an error, no kill")
def test_the_systems_out_of_memory_killer_leads_to_a_step_down(jobs, submit, kill_worker, monkeypatch) -> None:
    """T3 on a CPU: SIGKILL, on a machine that counts as full (nothing here is to be filled up for real)."""
    monkeypatch.setattr(crash_diagnosis, "LOW_MEMORY", 2.0)
    job = submit(steps=10)
    until(lambda: jobs.get(job.id), lambda j: j.stage == "sampling" and j.step > 2)
    kill_worker()
    ended = done(jobs, job)
    assert ended.attempt == 2
    log = logs(jobs, job.id)
    assert "[WARN] FM-WORKER-005: The worker died at stage sampling" in log
    assert "[WARN] The system ended the worker while generating: memory ran out. Going on with: " in log
    assert any("Going on with" in warning for warning in ended.warnings)
