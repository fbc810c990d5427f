"""SIGKILL in the middle of a job with a prompt: it goes on in its window, and the frames are those of a calm run."""

import pytest
from fanslymotion.bench.faults.processes import frames_hash, kill
from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.pipeline.families.wan import random_model as wan
from fanslymotion.queue.types import Status

from .conftest import logs, until

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("family", "steps"), [pytest.param(ltx, 60, id="ltx"), pytest.param(wan, 25, id="wan, with UniPC's history")]
)
def test_a_killed_worker_goes_on_with_the_same_frames(jobs, start, submit, tmp_path, family, steps) -> None:
    folder = family.build(tmp_path / "новая модель")
    start()
    wanted = {"model": str(folder), "quality": "sampled", "prompt": "waves 🌊 roll in", "steps": steps, "detail": False}
    calm, job = submit(**wanted), submit(**wanted)
    until(lambda: jobs.get(calm.id), lambda j: j.status is Status.DONE)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    worker = next(w for w in jobs.workers() if w.alive)
    assert kill(worker.pid)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.attempt == 2
    assert (done.frames, done.fps) == (12 * 24, 24)
    told = logs(jobs, job.id)
    assert "resumed at window 2" in told
    assert told.count("Encoding the prompt") == 0, "the calm job's is on the disk"
    assert frames_hash(done.video) == frames_hash(jobs.get(calm.id).video)
