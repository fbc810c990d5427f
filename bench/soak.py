"""Kill worker, supervisor, second UI or everything, again and again, in the middle of 12 s jobs: is any job lost?

    python bench/soak.py --kills 300 [--seed 0] [--steps 6]

Real processes, real SIGKILL (TerminateProcess on Windows), the random tiny model. Every job must end `done`, exactly
once, with the decoded frames of an undisturbed run. Prints a table, writes bench/out/soak.json; exit code 1 otherwise.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.pipeline.ffmpeg import ffmpeg_path
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.recovery import held
from fanslymotion.queue.state import MAX_LOSSES, place_of
from fanslymotion.queue.types import Job, Status
from fanslymotion.settings import Settings

OUT = Path(__file__).resolve().parent / "out" / "soak.json"
PHOTO = Path(__file__).resolve().parents[1] / "assets" / "sample.jpg"

TARGETS = {"worker": 0.55, "supervisor": 0.2, "second ui": 0.05, "everything": 0.2}
"""What is killed, and how often. The first studio holds the supervisor that runs the worker, the second one waits."""

SEEDS = (0, 1, 2)
"""Jobs differ in their seed only; each has an undisturbed run to be compared with."""

PATIENCE = 300.0
"""Seconds without any job moving on, after which the campaign is called stuck."""

STUDIO = """
import os, sys, threading
from pathlib import Path
from fanslymotion.queue.supervisor import Supervisor
from fanslymotion.settings import Settings
log = open(sys.argv[1], "a", encoding="utf-8", buffering=1)
Supervisor(Settings.from_env(), echo=lambda line: log.write(line + "\\n")).start()
threading.Event().wait()
"""
"""What a UI is to the jobs: a process with a supervisor."""


@dataclass
class Report:
    """What happened. faults: sentences about broken promises; empty is what we want."""

    kills: Counter = field(default_factory=Counter)
    stages: Counter = field(default_factory=Counter)
    jobs: int = 0
    attempts: int = 0
    resumed: int = 0
    handed_back: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class Campaign:
    """One data folder with two studios on it."""

    def __init__(self, home: Path, models: Path, seed: int = 0, steps: int = 6) -> None:
        self.settings = Settings.local(home, models)
        self.random = random.Random(seed)
        self.steps = steps
        self.studios: list[subprocess.Popen] = []
        self.report = Report()
        tiny_preset(home)
        self.jobs = Jobs(self.settings)
        self.expected: dict[int, str] = {}
        self.submitted: list[str] = []
        self._started: dict[tuple, float] = {}
        self._place: tuple[object, float] = (None, time.monotonic())

    def run(self, kills: int) -> Report:
        began = time.monotonic()
        try:
            self._start_studios()
            self._reference()
            while self.report.kills.total() < kills and not self.report.faults:
                self._keep_line()
                self._kill_at_a_random_moment()
            self._wait(lambda: not self._open(), "the last jobs to end")
        finally:
            self._end()
        self._judge()
        self.report.seconds = time.monotonic() - began
        return self.report

    # --- the studio ---------------------------------------------------------------------------------------------

    def _start_studios(self) -> None:
        self.studios = [studio for studio in self.studios if studio.poll() is None]
        while len(self.studios) < 2:
            self.studios.append(start_studio(self.settings))

    def _end(self) -> None:
        """Kill the studios; their worker must notice and end by itself."""
        for studio in self.studios:
            studio.kill()
            studio.wait()
        folder = self.settings.home / "workers"
        deadline = time.monotonic() + 60
        while any(held(path) for path in folder.glob("*.lock")):
            if time.monotonic() > deadline:
                self.report.faults.append("a worker outlived its killed supervisor by a minute")
                return
            time.sleep(0.2)

    # --- jobs ---------------------------------------------------------------------------------------------------

    def _submit(self, seed: int) -> str:
        request = VideoRequest(resolution="tiny", seconds=12, quality="standard", seed=seed, steps=self.steps)
        return self.jobs.submit(PHOTO, request, name=f"seed {seed}").id

    def _reference(self) -> None:
        """The undisturbed runs."""
        ids = {seed: self._submit(seed) for seed in SEEDS}
        self._wait(lambda: not self._open(), "the undisturbed jobs")
        for seed, job_id in ids.items():
            job = self.jobs.get(job_id)
            if job.status is not Status.DONE or job.video is None or job.attempt != 1:
                raise RuntimeError(f"the undisturbed run failed: {job.status} {job.error}")
            self.expected[seed] = frames_hash(job.video)

    def _open(self) -> list[Job]:
        return self.jobs.list(statuses=[Status.QUEUED, Status.RUNNING])

    def _keep_line(self) -> None:
        while len(self._open()) < 3:
            self.submitted.append(self._submit(self.random.choice(SEEDS)))

    # --- killing ------------------------------------------------------------------------------------------------

    def _kill_at_a_random_moment(self) -> None:
        """Somewhere within a running job, also while its model loads; but not so that it may never get further."""
        share = self.random.random()
        self._wait(lambda: self._may_kill(share), "a job to run")
        time.sleep(self.random.uniform(0, 0.5))
        running = [job for job in self._open() if job.status is Status.RUNNING]
        target = self.random.choices(list(TARGETS), list(TARGETS.values()))[0]
        if self._hit(target):
            self.report.kills[target] += 1
            self.report.stages[running[0].stage or "starting" if running else "between jobs"] += 1
        self._start_studios()

    def _may_kill(self, share: float) -> bool:
        """share: how far the job goes before it is hit, of what is left of it."""
        table = self.jobs.store.tables.Job
        row = table.get_or_none(table.status == Status.RUNNING)
        if row is None or not any(worker.alive and worker.id == row.worker for worker in self.jobs.workers()):
            return False  # its worker is dead and the next one still starting
        started = self._started.setdefault((row.id, row.attempt, row.worker), row.fraction)
        far_enough = row.fraction >= started + share * 0.5 * (1 - started)
        moved_on = row.losses < MAX_LOSSES - 1 or place_of(row.stage, row.step) > row.lost_place
        return far_enough and moved_on

    def _hit(self, target: str) -> bool:
        worker = next((w.pid for w in self.jobs.workers() if w.alive), None)
        keeper = parent_of(worker) if worker else None
        first = [studio for studio in self.studios if studio.pid == keeper]
        others = [studio for studio in self.studios if studio.pid != keeper]
        pids = {
            "worker": [worker] if worker else [],
            "supervisor": [studio.pid for studio in first],
            "second ui": [studio.pid for studio in others],
            "everything": [studio.pid for studio in self.studios] + ([worker] if worker else []),
        }[target]
        hit = [kill(pid) for pid in pids]
        for studio in self.studios:
            if studio.pid in pids:
                studio.wait()
        return any(hit)

    # --- judging ------------------------------------------------------------------------------------------------

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        while not ready():
            moved = [(job.id, job.status, job.stage, job.step, job.attempt) for job in self._open()]
            if moved != self._place[0]:
                self._place = (moved, time.monotonic())
            if time.monotonic() - self._place[1] > PATIENCE:
                raise RuntimeError(f"stuck for {PATIENCE:.0f} s, waiting for {what}: {moved}, {self.jobs.workers()}")
            time.sleep(0.05)

    def _judge(self) -> None:
        report = self.report
        for job_id in self.submitted:
            job = self.jobs.get(job_id)
            texts = [(e.kind, e.text) for e in self.jobs.events_since(job_id, 0, 100_000)]
            report.jobs += 1
            report.attempts += job.attempt
            report.resumed += sum("resumed" in text for kind, text in texts if kind == "log")
            report.handed_back += sum("goes back to the queue" in text for kind, text in texts if kind == "log")
            report.faults += [f"job {job_id}: {fault}" for fault in self._faults(job, texts)]
        if (health := self.jobs.store.check()) != "ok":
            report.faults.append(f"integrity check: {health}")

    def _faults(self, job: Job, texts: list[tuple[str, str]]) -> list[str]:
        ends = [text for kind, text in texts if kind == "status" and Status(text).final]
        faults = [] if ends == ["done"] else [f"ended as {ends}: {job.error}"]
        if job.video is not None:
            if frames_hash(job.video) != self.expected[job.request.seed]:
                faults.append("other frames than undisturbed")
            left = sorted(path.name for path in job.folder.iterdir())
            if left != ["job.json", "photo.png", "video.mp4"]:
                faults.append(f"left behind: {left}")
        return faults


def start_studio(settings: Settings, **environ: str) -> subprocess.Popen:
    """A process with a supervisor on this data folder; what its worker says goes to studio.log there."""
    env = settings.environ() | {"HF_HUB_OFFLINE": "1", **environ}
    log = settings.home / "studio.log"
    return subprocess.Popen([sys.executable, "-c", STUDIO, str(log)], env=env, stdin=subprocess.DEVNULL)


def parent_of(pid: int) -> int | None:
    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return None


def kill(pid: int) -> bool:
    try:
        psutil.Process(pid).kill()
    except psutil.Error:
        return False
    return True


def frames_hash(video: Path) -> str:
    """Of the decoded frames, as raw RGB."""
    command = [ffmpeg_path(), "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    return hashlib.sha256(subprocess.run(command, check=True, capture_output=True).stdout).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=6, help="denoising steps a window; a 12 s job has nine windows")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fanslymotion-soak-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        report = Campaign(home / "home", home / "models", given.seed, given.steps).run(given.kills)
    rows = {
        "kills": report.kills.total(),
        **{f"  of {target}": n for target, n in report.kills.items()},
        **{f"  in {stage}": n for stage, n in report.stages.items()},
        "jobs": report.jobs,
        "attempts": report.attempts,
        "resumed from a checkpoint": report.resumed,
        "handed back": report.handed_back,
        "minutes": round(report.seconds / 60, 1),
        "broken promises": len(report.faults),
    }
    for name, value in rows.items():
        print(f"{name:28} {value}")
    for fault in report.faults:
        print(fault)
    OUT.parent.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
    OUT.write_text(json.dumps({"machine": machine, **rows, "faults": report.faults}, indent=1), encoding="utf-8")
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
