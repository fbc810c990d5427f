"""How quick the store stays with 10,000 jobs: p50 and p95 of what the page and the command line ask of it.

    python bench/store.py [--jobs 10000] [--rounds 200]

`submit` counts everything: the photo checked and normalised, row, event, the wake-up message. Writes
bench/out/store.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store import transitions
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings
from PIL import Image

OUT = Path(__file__).resolve().parent / "out" / "store.json"
LINES_A_JOB = 30
REQUEST = VideoRequest(resolution="480p", seconds=6, quality="standard", seed=1)


def fill(jobs: Jobs, count: int) -> str:
    """`count` rows as they are after a year of use: most done, some failed, the last hundred waiting."""
    tables, now = jobs.store.tables, time.time()
    request = json.dumps(REQUEST.to_json())
    with jobs.store.write():
        for start in range(0, count, 500):
            rows = []
            for number in range(start, min(start + 500, count)):
                status = "queued" if number >= count - 100 else "failed" if number % 20 == 0 else "done"
                rows.append(
                    {
                        "id": f"{number:012x}",
                        "position": float(number),
                        "name": f"photo {number}",
                        "request": request,
                        "status": status,
                        "created": now - count + number,
                        "finished": None if status == "queued" else now - count + number + 60,
                    }
                )
            tables.Job.insert_many(rows).execute()
            lines = [
                {"job": row["id"], "time": now, "kind": "log", "level": "INFO", "text": f"line {n} of this job's log"}
                for row in rows
                for n in range(LINES_A_JOB)
            ]
            for at in range(0, len(lines), 2000):
                tables.Event.insert_many(lines[at : at + 2000]).execute()
    return f"{count - 1:012x}"


def measure(act: Callable[[], object], rounds: int) -> dict[str, float]:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - began))
    times.sort()
    return {"p50_ms": times[len(times) // 2], "p95_ms": times[int(0.95 * len(times))]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        jobs = Jobs(Settings.local(home, home / "models"))
        last = fill(jobs, given.jobs)
        photo = home / "photo.jpg"
        Image.effect_noise((640, 360), 40).convert("RGB").save(photo)
        acts: dict[str, Callable[[], object]] = {
            "submit": lambda: jobs.submit(photo, REQUEST),
            "list, first 100": lambda: jobs.list(limit=100),
            "list, page 50": lambda: jobs.list(limit=100, offset=5000),
            "list, ended": lambda: jobs.list(statuses=[Status.DONE], limit=50),
            "get": lambda: jobs.get(last),
            "snapshot with events": lambda: jobs.snapshot(last),
            "revision (what a follower asks)": jobs.revision,
            "move to the front": lambda: jobs.move(last, 1),
            "claim and hand back": lambda: claim_and_hand_back(jobs),
        }
        rows = {name: measure(act, given.rounds) for name, act in acts.items()}
        jobs.close()
    print(f"{given.jobs} jobs, {given.jobs * LINES_A_JOB} events")
    for name, row in rows.items():
        print(f"{name:34} p50 {row['p50_ms']:8.2f} ms   p95 {row['p95_ms']:8.2f} ms")
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    OUT.write_text(json.dumps({"machine": machine, "jobs": given.jobs, "rows": rows}, indent=1), encoding="utf-8")


def claim_and_hand_back(jobs: Jobs) -> None:
    row = transitions.claim(jobs.store, "bench", time.time())
    assert row is not None
    transitions.hand_back(jobs.store, row.id, "bench", time.time())


if __name__ == "__main__":
    main()
