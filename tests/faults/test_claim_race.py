"""Eight processes, eighty jobs: each is claimed once."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings

pytestmark = pytest.mark.faults

PROCESSES, JOBS = 8, 80

CLAIMS = """
import sys, time
from fanslymotion.queue.store import transitions
from fanslymotion.queue.store.store import Store
from fanslymotion.settings import Settings
store = Store(Settings.from_env())
print("ready", flush=True)
sys.stdin.readline()
while (row := transitions.claim(store, sys.argv[1], time.time())) is not None:
    print(row.id, flush=True)
    time.sleep(0.01)  # a worker is busy now; the others get their turn
"""


@pytest.mark.soak
def test_each_job_is_claimed_once(settings: Settings, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fanslymotion.pipeline.request import VideoRequest

    jobs = Jobs(settings)
    request = VideoRequest(resolution="480p", seconds=6, quality="standard", seed=1)
    made = [jobs.submit(photo, request).id for _ in range(JOBS)]
    monkeypatch.setenv("FANSLYMOTION_HOME", str(settings.home))
    monkeypatch.setenv("FANSLYMOTION_DATABASE", settings.database)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMS, f"w{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        for n in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        said.append(out.split())
    claimed = Counter(job_id for claims in said for job_id in claims)
    assert set(claimed) == set(made)
    assert set(claimed.values()) == {1}
    assert sum(bool(claims) for claims in said) > 1, "it was a race"
    assert jobs.count(statuses=[Status.RUNNING]) == JOBS
