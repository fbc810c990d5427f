"""A model that a warm worker has mapped: Windows removes no such file, so that the worker is asked to let it go."""

import shutil
import sys
from pathlib import Path

import pytest
from fanslymotion.models.registry import look, remove
from fanslymotion.presets import load_presets
from fanslymotion.queue.types import Status

from .conftest import until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="what a process has mapped is read from /proc"),
]

PRESET = """
label = "Tiny"
source = "hub"
repository = "acme/tiny"
download_gb = 0.1
width = 128
height = 72
frames = 14
"""


def test_a_warm_workers_model_is_removed(settings, jobs, start, submit, models_dir, tiny_model, monkeypatch) -> None:
    """The refusal is Windows' own, made here for as long as the living worker really has the files mapped."""
    own = settings.home / "presets" / "models" / "mapped.toml"
    own.write_text(PRESET, encoding="utf-8")
    folder = models_dir / "mapped"
    shutil.copytree(tiny_model, folder)
    start()
    job = submit(model="mapped", seconds=6, steps=1)
    done = until(lambda: jobs.get(job.id), lambda j: j.status.final)
    assert done.status is Status.DONE, done.error
    worker = next(w for w in jobs.workers() if w.alive)
    maps, rename, refusals = Path(f"/proc/{worker.pid}/maps"), Path.rename, []

    def mapped() -> bool:
        return str(folder) in maps.read_text(encoding="utf-8")

    def refusing(path: Path, target: Path) -> Path:
        if path == folder and mapped():
            refusals.append(path)
            error = PermissionError(13, "Access is denied")
            error.winerror = 5
            raise error
        return rename(path, target)

    assert mapped(), "the warm model lies in its files"
    monkeypatch.setattr(Path, "rename", refusing)
    presets = load_presets(settings)
    assert remove("mapped", presets, settings, jobs.release_models, patience=60) > 100_000
    assert refusals
    assert not folder.exists()
    assert look("mapped", presets, settings).state == "missing"
    alive = [w for w in jobs.workers() if w.alive]
    assert [w.id for w in alive] == [worker.id], "it went on without a restart"
