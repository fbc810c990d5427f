"""Do everything to it that a machine may suffer, for minutes, while people work at it: is a job lost, doubled, revived?

    python bench/chaos.py [--minutes 10] [--seed 0] [--postgresql]

Two pages and three workers draw real jobs with the random tiny model. They are killed, stopped for longer than a
lease, have their clocks set, their syncs refused, their disk filled and their connections to PostgreSQL cut, lost and
frozen; meanwhile users hand in, cancel, delete and retry. Then all is healed, the queue runs empty, and what the pages
had promised is compared with what is there. Prints a table and one line of JSON; exit code 1 for a broken promise.
"""

import argparse
import json
import random
import re
import socket
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fanslymotion.bench.campaigns import add_arguments, campaign, this_machine
from fanslymotion.bench.faults import disk, shim
from fanslymotion.bench.faults.judge import KINDS, Violation, all_jobs, judge
from fanslymotion.bench.faults.kinds import Faults, Harmed
from fanslymotion.bench.faults.processes import LoneWorker, Machine, Page, environment, frames_hash, kill
from fanslymotion.bench.faults.proxy import Proxy
from fanslymotion.bench.faults.users import Users, wait
from fanslymotion.bench.faults.watch import Watch
from fanslymotion.bench.tiny_home import tiny_preset
from fanslymotion.errors import StoreError
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.recovery import is_locked
from fanslymotion.queue.types import Status
from fanslymotion.settings import Settings

START_SECONDS = 90.0
"""In which a page answers when nothing harms it."""
TOLD_FAULTS, TOLD_EVENTS = 15, 40
"""How much is printed with a violation."""


@dataclass(frozen=True)
class Plan:
    """How hard a campaign is.

    lease: seconds after which workers give each other up. steps: of each job, in `seconds` of video. pause: the
    longest between two faults. most: jobs of one user that wait or run. workers: beside the pages, which have one.
    """

    seed: int = 0
    lease: float = 20.0
    steps: int = 3
    seconds: int = 12
    seeds: tuple[int, ...] = (0, 1, 2)
    pause: float = 6.0
    most: int = 5
    workers: int = 2


@dataclass
class Report:
    """What happened. figures: the table. stories: for each violation what can be found out about it."""

    figures: dict[str, Any] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)


class Campaign:
    """Two pages, their worker and others on one data folder below `folder`, and people at the pages.

    database: a PostgreSQL URL; "" for SQLite in the data folder.
    """

    def __init__(self, folder: Path, models: Path, database: str = "", plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self._folder = folder
        self._dice = random.Random(self.plan.seed)
        self._ending = ExitStack()
        self._room: Path | None = folder / "disk"
        if disk.mount(self._room):
            self._ending.callback(disk.unmount, self._room)
        else:
            self._room = None
        home = (self._room or folder) / "data"
        settings = Settings.local(home, models)
        self.settings = replace(settings, database=database) if database else settings
        tiny_preset(home)
        self.jobs = Jobs(self.settings)
        self._harmed = self._machines(Proxy(database) if database else None)
        self._pages = [h.machine for h in self._harmed if isinstance(h.machine, Page)]
        size = {"resolution": "tiny", "seconds": self.plan.seconds, "quality": "standard", "detail": False}
        asked = size | {"steps": self.plan.steps}
        self._users = Users(self._pages, self.plan.seed, self.plan.seeds, asked, self.plan.most)
        self._faults = Faults(self._harmed, self.jobs, self.plan.lease, self._room, self._dice)
        self._expected: dict[int, str] = {}
        self._watch = Watch(Jobs(self.settings))
        self._course: dict[str, int] = {}
        self.report = Report()

    def _machines(self, proxy: Proxy | None) -> list[Harmed]:
        """Workers beside the pages are on other machines where the database can be."""
        library = shim.build(self._folder)
        made = []
        for name in ("page-a", "page-b", *("worker-c", "worker-d")[: self.plan.workers]):
            own = shim.Shim(library, self._folder / f"{name}.control")
            link = proxy.link() if proxy else None
            environ = environment(self.settings, link.address if link else self.settings.database, own.environ())
            log = self._folder / f"{name}.log"
            if name.startswith("page"):
                machine: Machine = Page(name, environ, log, free_port())
            else:
                machine = LoneWorker(name, environ, log, self.plan.lease, name if proxy else "")
            made.append(Harmed(machine, own, link))
        if proxy:
            self._ending.callback(proxy.close)
        return made

    # --- the course ---------------------------------------------------------------------------------------------

    def run(self, minutes: float = 0.0, faults: int = 0) -> Report:
        """Until so many minutes have passed and so many faults were dealt out."""
        began = time.monotonic()
        with self._ending:
            try:
                self._begin()
                self._break_things(minutes * 60, faults)
                self._heal()
                self._judge()
            finally:
                self._faults.heal()
                self._end()
        self.report.figures = self._figures(time.monotonic() - began)
        return self.report

    def _begin(self) -> None:
        for harmed in self._harmed:
            harmed.machine.start()
        self._watch.start()
        for page in self._pages:
            if not wait(page.answers, START_SECONDS):
                raise RuntimeError(f"{page.name} does not start:\n{page.last_words()}")
        calm = {self._users.submit(self._pages[0], seed)[0]: seed for seed in self.plan.seeds}
        self._wait_for_an_empty_queue()
        for job_id, seed in calm.items():
            job = self.jobs.get(job_id)
            if job.video is None or job.attempt != 1:
                raise RuntimeError(f"the undisturbed job of seed {seed} is {job.status}: {job.error}")
            self._expected[seed] = frames_hash(job.video)
        self._users.start()

    def _break_things(self, seconds: float, faults: int) -> None:
        began, dealt = time.monotonic(), 0
        while (time.monotonic() - began < seconds or dealt < faults) and not self._watch.stuck:
            time.sleep(self._dice.uniform(0.2, self.plan.pause))
            self._faults.heal_due()
            self._start_what_has_ended()
            with suppress(StoreError):
                dealt += self._faults.strike()
        while self._faults.lasting and not self._watch.stuck:
            time.sleep(0.2)
            self._faults.heal_due()
            self._start_what_has_ended()

    def _start_what_has_ended(self) -> None:
        for harmed in self._harmed:
            if not harmed.machine.running:
                harmed.machine.start()

    def _heal(self) -> None:
        """Nothing is harmed any more: everything comes to its end, also what had failed for a reason."""
        self._users.end()
        self._faults.heal()
        self._wait_for_an_empty_queue()
        for job in self.jobs.list(statuses=[Status.FAILED], limit=10_000):
            if job.id not in self._users.told.delete_tried:
                self._again(job.id)
        self._wait_for_an_empty_queue()
        for harmed in self._harmed:  # pages look for videos without a job when they start, workers tidy up
            for pid in {harmed.machine.worker(), harmed.machine.pid} - {0}:
                kill(pid)
        self._wait_for_an_empty_queue()
        self._pages_answer()
        wait(
            lambda: sum(worker.state == "idle" and worker.alive for worker in self.jobs.workers()) > self.plan.workers,
            START_SECONDS,
        )

    def _again(self, job_id: str) -> None:
        self._pages_answer()
        found = self.jobs.get(job_id)
        asked = {"id": found.id, "name": found.name, "settings": found.request.to_json()}
        with suppress(Exception):  # without a photo it cannot be; the judge says so
            self._users.retry(self._pages[0], asked)

    def _pages_answer(self) -> None:
        for page in self._pages:
            if not wait(lambda page=page: self._start_what_has_ended() or page.answers(), START_SECONDS):
                self._violate(Violation("stuck", page.name, f"does not answer:\n{page.last_words()}"))

    def _wait_for_an_empty_queue(self) -> None:
        def empty() -> bool:
            self._start_what_has_ended()
            with suppress(StoreError):
                return not self.jobs.list(statuses=[Status.QUEUED, Status.RUNNING], limit=1)
            return False

        while not (self._watch.stuck or empty()):
            time.sleep(0.1)

    def _end(self) -> None:
        """Kill the pages; workers of theirs must notice and end by themselves."""
        self._watch.end()
        for harmed in self._harmed:
            harmed.machine.kill()
        workers = self.settings.home / "workers"
        if not wait(lambda: not any(is_locked(path) for path in workers.glob("*.lock")), 90):
            self._violate(Violation("stuck", "worker", "it outlived its killed page by a minute"))
        self.jobs.close()

    # --- what is told -------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        disk_failed = self._faults.failed_syncs > 0 or self._faults.counts["fill disk"] > 0
        for violation in judge(self.jobs, self._users.told, self._expected, disk_failed):
            self._violate(violation)
        self._course = self._count()

    def _count(self) -> dict[str, int]:
        """How the jobs have ended that are still there, and what it took."""
        rows = all_jobs(self.jobs).values()
        lines = [e.text for job in rows for e in self.jobs.events_since(job.id, 0, 100_000) if e.kind == "log"]
        found = {f"  {status}": sum(job.status is status for job in rows) for status in Status if status.final}
        return found | {
            "  deleted": len(self._users.told.deleted),
            "attempts": sum(job.attempt for job in rows),
            "resumed from a checkpoint": sum("resumed at" in line for line in lines),
            "handed back": sum("goes back to the queue" in line for line in lines),
        }

    def _violate(self, violation: Violation) -> None:
        self.report.violations.append(violation)
        self.report.stories.append(self._story(violation))

    def _story(self, violation: Violation) -> str:
        """The violation with its seed, the job's course and events, and the faults before its end."""
        began, row = self._watch.began, all_jobs(self.jobs).get(violation.job)
        about = {violation.job} | ({row.name} if row else set())
        acts = [
            (at - began, f"{what}: {said}") for at, what, said in self._users.told.acts if about & words(what, said)
        ]
        moves = self._watch.history.get(violation.job, [])
        last = max((at for at, _ in [*moves, *acts] if at + began < self._faults.healed), default=float("inf"))
        around = [f"  {at - began:7.1f} s  {what}" for at, what in self._faults.said if at - began <= last + 1]
        course = [f"  {at:7.1f} s  {what}" for at, what in sorted([*moves, *acts])]
        events = self.jobs.events_since(violation.job, 0, 100_000)
        lines = [f"  {e.id} {e.kind} {e.text}" for e in events if e.kind != "watch"][-TOLD_EVENTS:]
        parts = [
            f"{violation} (seed {self.plan.seed})",
            "course:",
            *course,
            "events:",
            *lines,
            "faults:",
            *around[-TOLD_FAULTS:],
        ]
        return "\n".join(parts)

    def _figures(self, seconds: float) -> dict[str, Any]:
        told = self._users.told
        found = {
            "database": "SQLite" if self.jobs.store.sqlite else "PostgreSQL",
            "seed": self.plan.seed,
            "minutes": round(seconds / 60, 1),
            "faults": self._faults.counts.total(),
            **{f"  {name}": count for name, count in sorted(self._faults.counts.items())},
            "syncs failed": self._faults.failed_syncs,
            "COMMITs lost, frozen or unanswered": self._faults.sprung,
            "starts of processes": sum(harmed.machine.starts for harmed in self._harmed),
            "jobs accepted": len(told.accepted),
            **self._course,
            "answers": dict(sorted(told.answers.items())),
            "submits without a clear answer": len(told.unclear) + len(told.refused),
            "longest standstill in s": round(self._watch.longest, 1),
            "left out": self._faults.left_out,
            "violations": len(self.report.violations),
        }
        kinds = [violation.kind for violation in self.report.violations]
        return found | {f"  {kind}": kinds.count(kind) for kind in KINDS}


def words(*texts: str) -> set[str]:
    """What stands between anything but letters, digits, dots and hyphens."""
    return set(re.split(r"[^\w.-]+", " ".join(texts)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    add_arguments(parser, "jobs on a PostgreSQL server of its own")
    given = parser.parse_args()
    with campaign("chaos", given.postgresql) as (folder, database):
        report = Campaign(folder, folder / "models", database, Plan(given.seed)).run(given.minutes)
    for story in report.stories:
        print(story, end="\n\n")
    for name, value in report.figures.items():
        print(f"{name:36} {value}")
    print(json.dumps({"machine": this_machine(), **report.figures}))
    sys.exit(bool(report.violations))


if __name__ == "__main__":
    main()
