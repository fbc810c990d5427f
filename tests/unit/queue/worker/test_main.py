"""The worker process, as far as it goes without a model."""

import errno
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fanslymotion.errors import RenderError
from fanslymotion.messages import as_message
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.supervisor import Supervisor
from fanslymotion.queue.log import JOB_MARK
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.store import Store
from fanslymotion.queue.worker import main
from fanslymotion.queue.worker.main import Worker
from fanslymotion.settings import Settings

from ..conftest import REQUEST


def test_its_own_lines_are_in_its_log_file(settings: Settings) -> None:
    """Run by -m, its module has another name than the one whose lines are kept."""
    store = Store(settings)
    store.set_meta("schema", "99")
    store.close()
    command = [sys.executable, "-P", "-m", "fanslymotion.queue.worker.main"]
    done = subprocess.run(command, env=settings.environ(), capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 1
    assert "[ERROR] " in done.stdout
    assert "newer fanslymotion" in (settings.logs_dir / "worker.log").read_text(encoding="utf-8")


def test_a_job_that_it_claimed_without_knowing_wakes_it_even_in_a_pause(
    settings: Settings, jobs: Jobs, photo: Path
) -> None:
    """The answer to the claim's COMMIT was lost."""
    worker = Worker(settings, "w")
    jobs.submit(photo, REQUEST)
    assert worker._waiting() == 1
    transitions.claim(jobs.store, "w", 1.0)
    jobs.submit(photo, REQUEST)
    assert worker._waiting() == 2
    jobs.pause()
    assert worker._waiting() == 1
    worker.store.close()


@pytest.mark.parametrize("supervised", [True, False])
def test_only_a_supervised_worker_marks_whose_lines_follow(
    settings: Settings, jobs: Jobs, photo: Path, capsys: pytest.CaptureFixture[str], supervised: bool
) -> None:
    """A person who runs a worker in a window sees its log alone."""
    worker, job = Worker(settings, "w", supervised=supervised), jobs.submit(photo, REQUEST)

    def produce(*_: object) -> Any:
        print("a line of a library")
        raise RenderError("it cannot be made")

    worker._produce = produce
    assert worker._take_one()
    worker.store.close()
    said = capsys.readouterr().out
    assert (JOB_MARK in said) is supervised
    keeper = Supervisor(settings)
    keeper._read(cast(Any, SimpleNamespace(stdout=StringIO(said))))
    assert keeper._job_id == (job.id if supervised else "")
    assert [line for line in keeper._job_lines if JOB_MARK in line] == []
    assert "a line of a library" in keeper._job_lines


def test_thousands_of_folders_hold_up_no_job(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a slow network share it takes minutes to look through them: the worker takes jobs and gives signs of life."""
    worker, begun, beaten, collected = Worker(settings, "w"), threading.Event(), threading.Event(), threading.Event()

    def collect(_: Store) -> None:
        begun.set()
        assert beaten.wait(20)
        collected.set()

    def beat(_: Worker) -> None:
        assert begun.wait(20)
        beaten.set()
        assert collected.wait(20)

    monkeypatch.setattr(main, "collect_garbage", collect)
    monkeypatch.setattr(main, "_device", lambda: as_message("CPU"))
    monkeypatch.setattr(main.signal, "signal", lambda *_: None)
    monkeypatch.setattr(main.broker, "consume", lambda _: SimpleNamespace(start=lambda: None, stop_flag=begun))
    monkeypatch.setattr(Worker, "_load_pipeline", lambda _: None)
    monkeypatch.setattr(Worker, "_beat", beat)
    monkeypatch.setattr(worker._claims, "publish", lambda _: None)
    assert worker.run() == 0
    worker.store.close()


def test_a_share_that_is_away_for_a_moment_ends_no_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that ran went back to its last checkpoint, and its loss was counted."""
    worker = Worker(settings, "w")
    looks: list[int] = []
    said: list[str] = []

    def look(*_: object, **__: object) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise OSError(errno.ESTALE, "Stale file handle")
        worker.stop()

    monkeypatch.setattr(main, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(worker, "_heartbeat", lambda: None)
    monkeypatch.setattr(worker._sweeper, "sweep", look)
    monkeypatch.setattr(main.log, "error", lambda text, *args, **_: said.append(text % args))
    worker._beat()
    assert len(looks) == 2
    assert "Stale file handle" in said[0]
    worker.store.close()
