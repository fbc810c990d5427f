"""The job list's file is damaged under running programs: they go on with what can be read, and say it in few words."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Job, Status
from fanslymotion.settings import Settings
from fanslymotion.tests.damages import KINDS
from fanslymotion.tests.soak import soak
from fanslymotion.tests.studio import Studio, wait_for

from .told import Told

pytestmark = pytest.mark.faults


def damage(path: Path, kind: str, seed: int = 3) -> None:
    """All in the file itself, with nobody writing meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as connection:
        wait_for(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        connection.execute("BEGIN IMMEDIATE")
        KINDS[kind](path, Random(seed))


@pytest.mark.parametrize("kind", ["row_missing", *soak("first_page")])
def test_the_command_line(settings: Settings, told: Told, submit: Callable[..., Job], jobs: Jobs, kind: str) -> None:
    made = [submit() for _ in range(12)]
    jobs.close()
    damage(settings.home / "jobs.db", kind)
    first = told.command("jobs", "list", "--limit", "100")
    assert first.returncode in (0, 1)
    assert "Traceback" not in first.stderr
    assert "damaged" in first.stderr
    second = told.command("jobs", "list", "--limit", "100")
    assert second.returncode == 0
    assert all(job.id in second.stdout for job in made)
    assert "the job list was damaged" in " ".join(second.stderr.split())
    assert told.by_doctor("FM-QUEUE-003")["result"] == "warn"
    assert told.command("jobs", "seen").returncode == 0
    assert told.command("jobs", "list").stderr == ""


@pytest.mark.soak
def test_a_running_worker(settings: Settings, start, submit: Callable[..., Job], jobs: Jobs) -> None:
    """The list is damaged twice while it works; every job is made once, those of lost rows when they are retried."""
    start()
    wait_for(lambda: any(worker.alive and worker.state == "idle" for worker in jobs.workers()), 120)
    for kind in ("row_missing", "header"):
        jobs.pause()
        waiting = [submit(seconds=6, steps=1) for _ in range(3)]
        jobs.close()
        damage(settings.home / "jobs.db", kind)
        jobs.store.examine()
        assert jobs.paused
        jobs.resume()
        for job in waiting:
            wait_for(lambda job=job: jobs.get(job.id).status.final, 120)
        ended = [jobs.get(job.id) for job in waiting]
        assert {job.status for job in ended} <= {Status.DONE, Status.FAILED}
        assert all("not known" in job.error for job in ended if job.status is Status.FAILED)
        assert any(job.status is Status.DONE for job in ended)
    assert len(list(settings.home.glob("jobs.damaged-*"))) == 2
    log = (settings.logs_dir / "worker.log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    assert len([line for line in log.splitlines() if "damaged" in line]) < 10


def test_page_and_worker_at_work(make_studio: Callable[..., Studio], photo: Path) -> None:
    """Nobody examines anything: one of them meets the damage at its work."""
    studio = make_studio()
    jobs = Jobs(Settings.local(studio.home, studio.models))
    wait_for(lambda: any(worker.alive and worker.state == "idle" for worker in jobs.workers()), 120)
    wanted = {"seconds": 6, "quality": "sampled", "steps": 1, "model": "mini"}
    jobs.close()
    damage(studio.home / "jobs.db", "leaf_of_zeros")
    ids: list[str] = []

    def submit() -> bool:
        uploaded = studio.post("/studio/photos", content=photo.read_bytes()).json()["id"]
        answer = studio.post("/studio/jobs", json={"photos": [uploaded], "settings": wanted})
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            ids.append(answer.json()["jobs"][0]["id"])
        return bool(ids)

    wait_for(submit)
    wait_for(lambda: jobs.get(ids[0]).status is Status.DONE, 120)
    assert jobs.store.check() == "ok"
    assert len(list(studio.home.glob("jobs.damaged-*"))) == 1
    assert "Traceback" not in studio.said
    jobs.close()
    assert studio.stop() == 0
