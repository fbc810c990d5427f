"""SIGKILL while either of two transformers computes: the job goes on, and the frames are those of a calm run."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fanslymotion.bench.faults.processes import frames_hash, kill
from fanslymotion.pipeline.families.wan_a14b import random_model
from fanslymotion.pipeline.media.mp4 import read_metadata
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue.types import Job, Status
from fanslymotion.tests import tiny_lora

from .conftest import logs, until

pytestmark = pytest.mark.faults

DISTILLED = {"steps": 4, "schedule": "flow", "shift": 5.0, "solver": "euler", "min_guidance": 1.0, "max_guidance": 1.0}


def pair_and_single(folder: Path) -> tuple[LoraChoice, ...]:
    """Write LoRAs that change one transformer each, and one for both."""
    for n, name in enumerate(("дождь_high_noise", "дождь_low_noise", "soft")):
        pair = {"lora_A.weight": torch.full((2, 24), 0.02 * (n + 1)), "lora_B.weight": torch.ones(24, 2)}
        tensors = {f"transformer.blocks.0.attn1.to_q.{key}": tensor for key, tensor in pair.items()}
        tiny_lora.write(folder / f"{name}.safetensors", tensors)
    return LoraChoice("дождь", 0.8), LoraChoice("soft", 0.5)


def test_a_worker_killed_in_either_transformer_goes_on_with_the_same_frames(
    jobs, start, submit, settings, tmp_path
) -> None:
    """Twice in the second window, which begins with the first one's last frame; LoRAs are added anew each time."""
    folder = random_model.build(tmp_path / "новая модель", sampling=DISTILLED, frames=49)
    loras = pair_and_single(settings.models / "loras")
    start()
    wanted = {"model": str(folder), "quality": "sampled", "prompt": "waves 🌊 roll in", "steps": 60, "seconds": 6}
    wanted["loras"] = loras
    calm, job = submit(**wanted), submit(**wanted)
    until(lambda: jobs.get(calm.id), lambda j: j.status is Status.DONE)

    def read() -> list[str]:
        return [line.split()[-4] for line in logs(jobs, job.id).splitlines() if "from the disk" in line]

    def computes(name: str, before: int) -> Callable[[Job], bool]:
        return lambda j: j.window >= 2 and len(read()) > before and read()[-1] == name

    for ready in (computes("transformer", 2), computes("transformer_2", 3)):
        until(lambda: jobs.get(job.id), ready)
        worker = next(w for w in jobs.workers() if w.alive)
        assert kill(worker.pid)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.attempt == 3
    assert (done.frames, done.fps) == (6 * 16, 16)
    assert logs(jobs, job.id).count("Checkpoint found: resumed") == 2
    assert frames_hash(done.video) == frames_hash(jobs.get(calm.id).video)
    assert [one["name"] for one in read_metadata(done.video)["loras"]] == [one.name for one in loras]
