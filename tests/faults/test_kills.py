"""A studio killed, doubled or with a broken library, and a worker killed on PostgreSQL: every job ends once.

What else ends a worker is in test_killed_worker, with one supervisor for all.
"""

import os
import sys
from pathlib import Path

import psutil
import pytest
from fanslymotion.bench.faults.processes import kill
from fanslymotion.queue.types import Status
from fanslymotion.tests.studio import runs, wait_for
from fanslymotion.ui.page_state import machine_json

from .conftest import check_balanced, until

pytestmark = pytest.mark.faults


@pytest.mark.soak
@pytest.mark.parametrize("settings", ["postgresql"], indirect=True)
def test_a_killed_worker_costs_little_on_postgresql_too(jobs, start, submit, kill_worker, tiny_model: Path) -> None:
    start()
    check_balanced(jobs, submit, kill_worker, tiny_model)


def test_a_worker_without_its_parent_ends_after_handing_back(jobs, start, submit) -> None:
    studio = start()
    job = submit(steps=30)
    until(lambda: jobs.get(job.id), lambda j: j.stage == "sampling" and j.step > 2)
    worker = next(w for w in jobs.workers() if w.alive)
    if sys.platform == "linux":  # libraries and child processes never see the supervisor's pipe
        assert os.readlink(f"/proc/{worker.pid}/fd/0") == os.devnull
    process = psutil.Process(worker.pid)
    kill(studio.pid)
    studio.wait()
    wait_for(lambda: not runs(process))
    left = jobs.get(job.id)
    assert (left.status, left.attempt) == (Status.QUEUED, 1)


@pytest.mark.soak
def test_two_studios_on_one_folder_run_one_worker(jobs, start, submit) -> None:
    first, second = start(), start()
    made = [submit(seconds=6, steps=2) for _ in range(3)]
    for job in made:
        assert until(lambda job=job: jobs.get(job.id), lambda j: j.status is Status.DONE).attempt == 1
    assert sum(worker.alive for worker in jobs.workers()) == 1
    kill(first.pid)
    first.wait()
    last = submit(seconds=6, steps=2)
    assert until(lambda: jobs.get(last.id), lambda j: j.status is Status.DONE)
    assert second.poll() is None


def test_a_poison_job_fails_with_its_story_and_the_others_go_on(jobs, start, submit, told, tmp_path) -> None:
    """T1. A stand-in for a library that takes the process down: three losses at one place, then the reason is told.

    The next job's call of it waits until the doctor was asked, who tells of the last failure.
    """
    asked = tmp_path / "asked"
    (tmp_path / "imageio_ffmpeg.py").write_text(
        "import os, pathlib, time\n"
        "def get_ffmpeg_exe():\n"
        f"    deaths = pathlib.Path({str(tmp_path / 'deaths')!r})\n"
        "    said = deaths.read_text() if deaths.exists() else ''\n"
        "    if len(said) == 3:\n"
        f"        while not pathlib.Path({str(asked)!r}).exists(): time.sleep(0.05)\n"
        "        raise OSError('now only broken')\n"
        "    deaths.write_text(said + 'x')\n"
        "    print('the library says goodbye', flush=True)\n"
        "    os._exit(3)\n",
        encoding="utf-8",
    )
    start(PYTHONPATH=str(tmp_path))
    poison, next_one = submit(seconds=6, steps=1), submit(seconds=6, steps=1)
    failed = until(lambda: jobs.get(poison.id), lambda j: j.status is Status.FAILED)
    assert failed.error.startswith("the worker died 3 times at stage decoding")
    assert "the library says goodbye" in failed.error
    assert "decoding" in told.everywhere(failed, "FM-WORKER-004", "retry")["cause"]  # no size is smaller than its own
    asked.touch()
    assert until(lambda: jobs.get(next_one.id), lambda j: j.status is Status.FAILED).attempt == 1
    assert (failed.folder / "work").is_dir(), "what was drawn is kept until the job is deleted"


def test_a_crash_on_import_is_shown_and_mended_by_itself(jobs, start, submit, told, tmp_path) -> None:
    """T2."""
    broken = tmp_path / "torch"
    broken.mkdir()
    (broken / "__init__.py").write_text(
        "raise ImportError('libfancy.so.3: cannot open shared object file')\n", encoding="utf-8"
    )
    start(PYTHONPATH=str(tmp_path))
    job = submit(seconds=6, steps=1)
    wait_for(lambda: any(w.state == "crashed" and "Traceback" in w.last_output for w in jobs.workers()))
    crashed = next(w for w in jobs.workers() if w.state == "crashed")
    assert "Likely cause: the system library libfancy is missing" in crashed.last_output
    assert jobs.get(job.id).status is Status.QUEUED, "the job waits"
    assert told.by_doctor("FM-WORKER-002")["result"] == "broken"
    assert "Traceback" in machine_json(jobs, None)["workers"][0]["last_output"]
    assert "libfancy" in told.command("jobs", "show", job.id).stderr
    broken.rename(tmp_path / "mended")
    assert until(lambda: jobs.get(job.id), lambda j: j.status is Status.DONE).attempt == 1
    assert not [w for w in jobs.workers() if w.state == "crashed"]
