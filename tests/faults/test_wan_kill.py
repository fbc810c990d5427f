"""SIGKILL in the middle of a Wan job: it goes on in its window with UniPC's history, and the frames stay the same."""

import pytest
from fanslymotion.bench.faults.processes import frames_hash, kill
from fanslymotion.pipeline.families.wan.random_model import build
from fanslymotion.queue.types import Status

from .conftest import logs, until

pytestmark = pytest.mark.faults


def test_a_killed_worker_goes_on_with_the_same_frames(jobs, start, submit, tmp_path) -> None:
    folder = build(tmp_path / "Wan модель")
    start()
    wanted = {"model": str(folder), "quality": "sampled", "prompt": "waves 🌊 roll in", "steps": 25, "detail": False}
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
