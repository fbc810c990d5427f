"""Kill workers while several of them share the jobs: is a job lost, made twice, or made differently?

    python bench/soak.py [--workers 3] [--kills 200] [--postgresql] [--seed 0]

On SQLite the workers are one machine's: a supervisor keeps each running, and each believes in a GPU of its own, which
an NVML of the tests reports; they compute on the CPU. With --postgresql each is a machine of its own, with its own
host name and without a network where Linux allows that (root), and finds the others' dead by their leases. The random
tiny model draws real jobs; SIGKILL strikes workers that run one. Then the queue runs empty, and every job must be done
once, with the frames of an undisturbed run. Prints a table and one line of JSON; exit code 1 for a broken promise.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from fanslymotion.bench.campaigns import add_arguments, campaign, this_machine
from fanslymotion.bench.faults.judge import Violation, all_jobs, judge
from fanslymotion.bench.faults.processes import LoneWorker, frames_hash, kill, start_studio
from fanslymotion.bench.faults.users import Told, wait
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.transitions import MAX_LOSSES, place_of
from fanslymotion.queue.types import Job, Status, WorkerInfo
from fanslymotion.settings import ROOT, Settings
from fanslymotion.tests.nvml import install_cards

SEEDS = (0, 1, 2)
LEASE = 10.0
"""Seconds after which workers of several machines give each other's jobs up."""
STAGES = ("loading", "sampling", "sampling", "sampling", "decoding", "saving")
"""In which a kill may be wanted: most often where jobs are longest."""
STAGE_SECONDS = 10.0
"""For so long a wanted stage is waited for; then any is struck."""
STUCK_SECONDS = 300.0
"""Without any progress the campaign ends: something hangs."""
ALONE = ["unshare", "--net", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"']
"""A host of its own: another name, and no network beside the database's socket."""


class Hosts:
    """Workers that are machines of their own, each started anew when it has ended.

    Attributes:
        own_network: whether each has a network and a host name of its own.
    """

    def __init__(self, count: int, settings: Settings, folder: Path) -> None:
        probe = [*ALONE, "probe", "true"]
        able = shutil.which("unshare") is not None and sys.platform == "linux"
        self.own_network = able and subprocess.run(probe, capture_output=True).returncode == 0
        environ = settings.environ() | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        self._all = [self._host(f"host-{n}", environ, folder) for n in range(count)]

    def _host(self, name: str, environ: Mapping[str, str], folder: Path) -> LoneWorker:
        host = LoneWorker(name, environ, folder / f"{name}.log", LEASE, "" if self.own_network else name)
        if self.own_network:
            host.within([*ALONE, name])
        return host

    def keep(self) -> None:
        """Start those that do not run."""
        for host in self._all:
            if not host.running:
                host.start()

    def end(self) -> None:
        """Kill all."""
        for host in self._all:
            host.kill()


class OneMachine:
    """A studio without a page, whose supervisors keep the workers running."""

    own_network = False

    def __init__(self, count: int, settings: Settings, folder: Path) -> None:
        self._settings, self._cards = settings, install_cards(folder / "cards", count)
        self._studio: subprocess.Popen[bytes] | None = None

    def keep(self) -> None:
        """Start the studio if it does not run."""
        if self._studio is None or self._studio.poll() is not None:
            self._studio = start_studio(self._settings, **self._cards)

    def end(self) -> None:
        """Kill the studio. Its workers notice, and end by themselves."""
        if self._studio is not None:
            self._studio.kill()
            self._studio.wait()


class Soak:
    """A campaign of kills on a data folder below `folder`.

    Args:
        folder: for everything that it needs.
        models: the folder with the random model.
        workers: how many.
        database: a PostgreSQL URL; "" for SQLite in the data folder.
        seed: of the dice.
    """

    def __init__(self, folder: Path, models: Path, workers: int, database: str = "", seed: int = 0) -> None:
        settings = Settings.local(folder / "data", models)
        self._settings = replace(settings, database=database) if database else settings
        tiny_preset(self._settings.home)
        self.jobs = Jobs(self._settings)
        self._workers, self._dice, self._told = workers, random.Random(seed), Told()
        self._machines = (Hosts if database else OneMachine)(workers, self._settings, folder)
        self._expected: dict[int, str] = {}
        self._kills: Counter[str] = Counter()
        self._by: Counter[str] = Counter()
        self._state: object = None
        self._moved = time.monotonic()

    def run(self, kills: int) -> tuple[dict[str, Any], list[Violation]]:
        """Return the figures and the broken promises."""
        began = time.monotonic()
        try:
            self._machines.keep()
            self._make_calm_ones()
            while self._kills.total() < kills and not self._stuck():
                self._machines.keep()
                self._fill()
                self._strike()
                time.sleep(self._dice.uniform(0.05, 1.0))
            while not self._stuck() and self._unfinished():
                self._machines.keep()
                time.sleep(0.2)
            violations = self._judge()
        finally:
            self._machines.end()
        return self._figures(time.monotonic() - began, violations), violations

    def _make_calm_ones(self) -> None:
        calm = {seed: self._submit(seed) for seed in SEEDS}
        if not wait(lambda: not self._unfinished(), STUCK_SECONDS):
            raise RuntimeError("the undisturbed jobs do not end")
        for seed, job_id in calm.items():
            job = self.jobs.get(job_id)
            if job.video is None or job.attempt != 1:
                raise RuntimeError(f"the undisturbed job of seed {seed} is {job.status}: {job.error}")
            self._expected[seed] = frames_hash(job.video)

    def _submit(self, seed: int) -> str:
        request = VideoRequest(resolution="tiny", seconds=6, quality="standard", seed=seed, steps=10)
        name = f"photo-{len(self._told.accepted)}"
        job = self.jobs.submit(ROOT / "assets" / "sample.jpg", request, name=name)
        self._told.accepted[job.id] = seed
        self._told.asked[name] = 1
        return job.id

    def _fill(self) -> None:
        """Keep so many jobs waiting that no worker is without one."""
        for _ in range(self._workers + 2 - self.jobs.count(statuses=[Status.QUEUED])):
            self._submit(self._dice.choice(SEEDS))

    def _strike(self) -> None:
        """Kill a worker that runs a job, in a stage that the dice choose if one comes to it soon."""
        wanted, end = self._dice.choice(STAGES), time.monotonic() + STAGE_SECONDS
        victims = self._victims()
        while not (fit := [one for one in victims if one[1] == wanted]) and time.monotonic() < end:
            time.sleep(0.02)
            victims = self._victims()
        if not (fit or victims):
            return
        worker, stage = self._dice.choice(fit or victims)
        if kill(worker.pid):
            self._kills[stage or "starting"] += 1
            self._by[worker.gpu or worker.host] += 1

    def _victims(self) -> list[tuple[WorkerInfo, str]]:
        """Workers that run a job, with its stage; not where that job would rightly be given up as lost so often."""
        job = self.jobs.store.tables.Job
        rows = list(job.select().where(job.status == Status.RUNNING))
        fair = [r for r in rows if r.losses < MAX_LOSSES - 1 or place_of(r.stage, r.step) > r.lost_place]
        workers = {worker.id: worker for worker in self.jobs.workers() if worker.alive}
        return [(workers[row.worker], row.stage) for row in fair if row.worker in workers]

    def _unfinished(self) -> list[Job]:
        return self.jobs.list(statuses=[Status.QUEUED, Status.RUNNING], limit=1)

    def _stuck(self) -> bool:
        """Whether nothing has changed for STUCK_SECONDS."""
        job = self.jobs.store.tables.Job
        state = [(row.id, row.status, row.step, row.stage, row.attempt) for row in job.select().order_by(job.id)]
        if state != self._state:
            self._state, self._moved = state, time.monotonic()
        return time.monotonic() - self._moved > STUCK_SECONDS

    def _judge(self) -> list[Violation]:
        found = judge(self.jobs, self._told, self._expected, disk_failed=False)
        for job in all_jobs(self.jobs).values():
            course = [event.text for event in self._statuses(job.id)]
            if course != ["queued", "running"] * (len(course) // 2) + ["done"]:
                found.append(Violation("doubled", job.id, f"its course is {course}"))
        return found + self._out_of_order()

    def _out_of_order(self) -> list[Violation]:
        """Jobs that began before an earlier one. PostgreSQL may number events of two machines in another order."""
        if not self.jobs.store.sqlite:
            return []
        begun = [self._starts(job_id)[0] for job_id in self._told.accepted if self._starts(job_id)]
        pairs = pairwise(begun)
        return [Violation("order", str(later), "began first") for before, later in pairs if later < before]

    def _starts(self, job_id: str) -> list[int]:
        return [event.id for event in self._statuses(job_id) if event.text == "running"]

    def _statuses(self, job_id: str) -> list[Any]:
        return [event for event in self.jobs.events_since(job_id, 0, 100_000) if event.kind == "status"]

    def _figures(self, seconds: float, violations: list[Violation]) -> dict[str, Any]:
        rows = all_jobs(self.jobs).values()
        lines = [e.text for job in rows for e in self.jobs.events_since(job.id, 0, 100_000) if e.kind == "log"]
        kinds = Counter(violation.kind for violation in violations)
        return {
            "database": "SQLite" if self.jobs.store.sqlite else "PostgreSQL",
            "workers": self._workers,
            "own network and host name": self._machines.own_network,
            "minutes": round(seconds / 60, 1),
            "kills": self._kills.total(),
            **{f"  while {stage}": count for stage, count in sorted(self._kills.items())},
            **{f"  of {place}": count for place, count in sorted(self._by.items())},
            "jobs": len(self._told.accepted),
            "attempts": sum(job.attempt for job in rows),
            "resumed from a checkpoint": sum("resumed at" in line for line in lines),
            **{kind: kinds[kind] for kind in ("lost", "doubled", "frames", "order", "stuck", "failed")},
            "violations": len(violations),
        }


def main() -> None:
    """Run a campaign from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--kills", type=int, default=200)
    add_arguments(parser, "workers on machines of their own")
    given = parser.parse_args()
    with campaign("soak", given.postgresql) as (folder, database):
        soak = Soak(folder, folder / "models", given.workers, database, given.seed)
        figures, violations = soak.run(given.kills)
    for violation in violations:
        print(violation)
    for name, value in figures.items():
        print(f"{name:36} {value}")
    print(json.dumps({"machine": this_machine(), **figures}))
    sys.exit(bool(violations))


if __name__ == "__main__":
    main()
