"""SIGKILL while a video is continued, its first part deleted meanwhile: both parts are in the file, frame for frame."""

import pytest
from fanslymotion.bench.faults.processes import kill
from fanslymotion.queue.types import Status
from fanslymotion.tests.moving_video import frames, pictures

from .conftest import logs, until

pytestmark = pytest.mark.faults


def test_a_killed_worker_joins_what_was_deleted_meanwhile(jobs, start, submit) -> None:
    start()
    old = submit(shape="1:1", steps=12)  # a frame of the smallest size in the photo's own shape is too low for a photo
    first = until(lambda: jobs.get(old.id), lambda j: j.status is Status.DONE)
    seen = pictures(first.video)
    job = jobs.go_on_from(first.id)
    until(lambda: jobs.get(job.id), lambda j: j.window >= 2)
    jobs.delete(first.id)
    worker = next(w for w in jobs.workers() if w.alive)
    assert kill(worker.pid)
    done = until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE)
    assert done.attempt == 2
    assert "resumed at window" in logs(jobs, job.id)
    found = frames(done.video)
    assert [picture for _, picture in found][: len(seen)] == seen
    assert len(found) == done.frames == 2 * first.frames - 1
    assert [time for time, _ in found] == pytest.approx([n / done.fps for n in range(done.frames)], abs=1e-3)
    longer = jobs.go_on_from(done.id)
    longest = until(lambda: jobs.get(longer.id), lambda j: j.status is Status.DONE)
    assert longest.frames == 3 * first.frames - 2
    assert pictures(longest.video)[: len(found)] == [picture for _, picture in found], "copied, not encoded anew"
