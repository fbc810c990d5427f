"""The worker process, as far as it goes without a model."""

import subprocess
import sys
from pathlib import Path

from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.store import Store
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
