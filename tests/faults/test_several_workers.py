"""Several workers on one machine, each with a GPU of its own as far as NVML says; they compute on the CPU."""

from pathlib import Path

import psutil
import pytest
from fanslymotion.bench.faults.judge import ends
from fanslymotion.bench.faults.processes import kill
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Status, WorkerInfo
from fanslymotion.tests.nvml import install_cards
from fanslymotion.tests.studio import wait_for
from fanslymotion.ui.page_state import machine_json

from .conftest import Start, until

pytestmark = pytest.mark.faults


def ready(jobs: Jobs) -> list[WorkerInfo]:
    return [one for one in jobs.workers() if one.alive and one.state in ("idle", "running")]


@pytest.mark.soak
def test_two_workers_share_the_jobs_and_a_kill_harms_one_of_them(
    jobs: Jobs, start: Start, submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    studio = start(**install_cards(tmp_path / "cards", 2))
    wait_for(lambda: len(ready(jobs)) == 2, 120)
    for one in ready(jobs):
        environ = psutil.Process(one.pid).environ()
        assert environ["CUDA_VISIBLE_DEVICES"] == one.gpu
        assert environ["OMP_NUM_THREADS"] == str(max(1, len(psutil.Process().cpu_affinity()) // 2))
        assert one.abilities is not None
        assert "mini" in one.abilities.models
    assert {one.gpu for one in ready(jobs)} == {"GPU-0", "GPU-1"}
    made = [submit(seconds=6, steps=steps) for steps in (30, 8, 2)]  # the first one works as long as the second
    until(lambda: jobs.get(made[1].id), lambda job: job.stage == "sampling" and job.step > 2)
    first, second, third = (jobs.get(job.id) for job in made)
    assert {first.status, second.status} == {Status.RUNNING}, "both work at the same time"
    assert (third.status, first.worker != second.worker) == (Status.QUEUED, True)
    victim = next(one for one in jobs.workers() if one.id == second.worker)
    assert kill(victim.pid)
    wait_for(lambda: any(one.state == "crashed" for one in jobs.workers()))
    shown = machine_json(jobs, None)["workers"]
    assert {(one["gpu"], one["state"]) for one in shown} == {(victim.gpu, "crashed"), (_other(victim), "running")}
    done = [until(lambda job=job: jobs.get(job.id), lambda job: job.status is Status.DONE) for job in made]
    assert [job.attempt for job in done] == [1, 2, 1]
    assert [ends(jobs, job) for job in done] == [["done"]] * 3, "none is made twice"
    wait_for(lambda: len(ready(jobs)) == 2, 120)
    assert {one.gpu: (one.crashes, one.restarts) for one in ready(jobs)} == {victim.gpu: (1, 0), _other(victim): (0, 0)}
    last = next(one.last_crash for one in ready(jobs) if one.gpu == victim.gpu)
    assert last is not None
    kill(studio.pid)
    assert studio.wait() is not None
    wait_for(lambda: not ready(jobs))


def _other(worker: WorkerInfo) -> str:
    return "GPU-1" if worker.gpu == "GPU-0" else "GPU-0"
