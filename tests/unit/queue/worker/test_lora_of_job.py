"""A LoRA that is another file, or gone, when its job runs: the job says so, and never makes another picture."""

from pathlib import Path

import pytest
import torch
from fanslymotion.pipeline.families.wan.random_model import build
from fanslymotion.pipeline.model_cache import ModelCache
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets.loras import LoraChoice
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Job, Status
from fanslymotion.queue.worker import attempt as tasks
from fanslymotion.settings import Settings
from fanslymotion.tests import tiny_lora
from safetensors.torch import load_file

LAYER = "transformer.blocks.0.attn1.to_q"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With a folder of LoRAs of its own."""
    return Settings.local(tmp_path / "data", tmp_path / "models")


@pytest.fixture
def job(jobs: Jobs, settings: Settings, photo: Path, tmp_path: Path) -> Job:
    folder = build(tmp_path / "tiny-wan")
    write(settings, load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors"), 1.0)
    return jobs.submit(photo, VideoRequest("480p", 6, "standard", model=str(folder), loras=(LoraChoice("style"),)))


def write(settings: Settings, weights: dict[str, torch.Tensor], value: float) -> Path:
    out = weights["blocks.0.attn1.to_q.weight"].shape[0]
    pair = {"lora_A": torch.full((2, out), value), "lora_B": torch.ones(out, 2)}
    path = settings.models / "loras" / "style.safetensors"
    path.unlink(missing_ok=True)
    return tiny_lora.write(path, {f"{LAYER}.{name}.weight": tensor for name, tensor in pair.items()})


@pytest.mark.parametrize("again", [False, True], ids=["before it runs", "before it goes on"])
@pytest.mark.parametrize("gone", [False, True], ids=["swapped", "gone"])
def test_the_job_says_so(gone: bool, again: bool, job: Job, jobs: Jobs, settings: Settings) -> None:
    row = transitions.claim(jobs.store, "w", 1.0)
    if again:
        transitions.mark_lost(jobs.store, row, "", 2.0)
        row = transitions.claim(jobs.store, "w", 3.0)
    style = settings.models / "loras" / "style.safetensors"
    if gone:
        style.unlink()
    else:
        write(settings, load_file(Path(job.request.model) / "transformer/diffusion_pytorch_model.safetensors"), 2.0)
    tasks.process_video_generation(jobs.store, row, "w", tasks.make_produce(jobs.store, ModelCache()), lambda _: None)
    found = jobs.get(job.id)
    assert found.status is Status.FAILED
    said = "there is no LoRA 'style', and none at all here" if gone else "lies another file than when the job was sent"
    assert said in found.error
    if not gone:
        assert jobs.retry(job.id).request == job.request, "with the new file"
