"""SIGKILL in the middle of a job with a prompt: it goes on in its window, and the frames are those of a calm run."""

import pytest
from fanslymotion.bench.faults.processes import frames_hash, kill
from fanslymotion.pipeline.families.ltx import random_model as ltx
from fanslymotion.pipeline.families.wan import random_model as wan
from fanslymotion.queue.types import Status
from PIL import Image

from .conftest import logs, until

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("family", "frames", "steps", "ends"),
    [
        pytest.param(ltx, 97, 60, True, id="ltx, with a last picture"),
        pytest.param(wan, 73, 25, False, id="wan, with UniPC's history"),
    ],
)
def test_a_killed_worker_goes_on_with_the_same_frames(
    jobs, start, submit, photo, tmp_path, family, frames, steps, ends
) -> None:
    """Of a model that draws half of the video in a window."""
    folder = family.build(tmp_path / "новая модель", frames=frames)
    start()
    wanted = {"model": str(folder), "quality": "sampled", "prompt": "waves 🌊 roll in", "steps": steps, "seconds": 6}
    last = None
    if ends:
        Image.open(photo).rotate(180).save(tmp_path / "end.png")
        last = (tmp_path / "end.png", "end.png")
    calm, job = submit(**wanted, last=last), submit(**wanted, last=last)
    until(lambda: jobs.get(calm.id), lambda j: j.status is Status.DONE)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    worker = next(w for w in jobs.workers() if w.alive)
    assert kill(worker.pid)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.attempt == 2
    assert (done.frames, done.fps) == (6 * 24, 24)
    told = logs(jobs, job.id)
    assert "resumed at window 2" in told
    assert told.count("Encoding the prompt") == 0, "the calm job's is on the disk"
    assert frames_hash(done.video) == frames_hash(jobs.get(calm.id).video)
