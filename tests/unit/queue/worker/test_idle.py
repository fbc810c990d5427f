"""A model that nobody uses gives its memory back."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fanslymotion.errors import BadInput
from fanslymotion.queue.worker.main import Worker
from fanslymotion.settings import Settings

IDLE = 40.0


class Models:
    loaded = None

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def worker(settings: Settings) -> Iterator[Worker]:
    made = Worker(replace(settings, idle_seconds=IDLE), "idle-test")
    made._idle_since, made._model_cache = 1000.0, Models()
    yield made
    made.store.close()


def test_after_the_set_time_once(worker: Worker) -> None:
    model_cache = worker._model_cache
    worker._release_when_idle(1000.0 + IDLE - 1)
    assert model_cache.released == 0
    worker._release_when_idle(1000.0 + IDLE)
    worker._release_when_idle(1000.0 + 2 * IDLE)
    assert model_cache.released == 1, "once, until the next job loads it again"


def test_never_while_a_job_runs(worker: Worker) -> None:
    with worker._job_lock:
        worker._release_when_idle(1e9)
    assert worker._model_cache.released == 0


def test_never_when_so_wished(worker: Worker) -> None:
    worker.settings = replace(worker.settings, idle_seconds=0.0)
    worker._release_when_idle(1e9)
    assert worker._model_cache.released == 0


def test_the_time_is_an_environment_variable() -> None:
    set_so = Settings.from_env({"FANSLYMOTION_IDLE": "30"})
    assert set_so.idle_seconds == 30
    assert Settings.from_env(set_so.environ({})) == set_so
    assert Settings.from_env({}).idle_seconds == 600
    for wrong in ("soon", "-1", "inf", "nan"):
        with pytest.raises(BadInput, match="FANSLYMOTION_IDLE"):
            Settings.from_env({"FANSLYMOTION_IDLE": wrong})


MEASURE = """
import json, sys
from pathlib import Path
import psutil
from fanslymotion.pipeline.families.svd.folder import ModelFolder, folder_preset
from fanslymotion.pipeline.model_cache import ModelCache
folder = Path(sys.argv[1])
model, cache, held = ModelFolder(folder_preset(folder), folder), ModelCache(), []
for _ in range(2):  # the first time also brings the libraries, which stay
    for tensor in cache.get(model).image_encoder.parameters():
        tensor.sum()  # weights come from the disk when they are first used
    del tensor
    held.append(psutil.Process().memory_info().rss)
    cache.release()
    held.append(psutil.Process().memory_info().rss)
print(json.dumps(held))
"""


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="there the working set says nothing about what a process holds")
def test_the_memory_really_comes_back(tiny_model: Path, tmp_path: Path) -> None:
    """A real load of a model with 200 MB of weights, in a process whose memory is looked at before and after."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    shutil.rmtree(folder / "image_encoder")
    config = CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=4, num_attention_heads=16)
    encoder = CLIPVisionModelWithProjection(config)
    encoder.save_pretrained(folder / "image_encoder")
    weights = 4 * sum(tensor.numel() for tensor in encoder.parameters())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=True,
    )
    _, before, loaded, after = json.loads(done.stdout)
    assert weights > 200e6
    assert loaded - before > 0.8 * weights
    assert after - before < 0.1 * weights
