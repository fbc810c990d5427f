"""What is done to a campaign's machines: each kind of fault begins, lasts for a while, and is healed."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.transitions import MAX_LOSSES, place_of
from fanslymotion.queue.types import Status

from . import disk, proxy
from .processes import Machine, Page, kill, suspend
from .shim import Shim

CLOCK_STEPS = (-400 * 86_400, -7_200, -90, 90, 7_200, 2 * 86_400)
"""Seconds by which a wall clock is wrong after a step."""


@dataclass
class Harmed:
    """A machine with what it can be harmed by. link: its way to PostgreSQL; None on SQLite."""

    machine: Machine
    shim: Shim
    link: proxy.Link | None = None
    stopped: set[int] = field(default_factory=set)

    def stop(self, pid: int) -> None:
        self.stopped.add(pid)
        suspend(pid, True)

    def go_on(self) -> None:
        for pid in self.stopped:
            suspend(pid, False)
        self.stopped.clear()


class Faults:
    """Deals the kinds out from a shuffled deck, so that each has its turn, and heals what is over.

    lease: seconds after which workers give each other up. room: the small disk; None where there is none.
    """

    def __init__(self, harmed: list[Harmed], jobs: Jobs, lease: float, room: Path | None, dice: random.Random) -> None:
        self._harmed, self._jobs, self._lease, self._room, self._dice = harmed, jobs, lease, room, dice
        self._healing: list[tuple[float, Callable[[], None]]] = []
        self._deck: list[str] = []
        self.counts: Counter[str] = Counter()
        self.said: list[tuple[float, str]] = []
        """(monotonic seconds, what was done), in order."""
        self.healed = float("inf")
        """When nothing was harmed any more (monotonic seconds)."""
        self.left_out: list[str] = []
        self.kinds = self._kinds()

    def _kinds(self) -> dict[str, Callable[[], str]]:
        kinds: dict[str, Callable[[], str]] = {
            "kill worker": self._kill_worker,
            "kill worker again": self._kill_worker,
            "kill page": self._kill_page,
            "kill everything": self._kill_everything,
            "stop worker": self._stop_worker,
            "stop page": self._stop_page,
            "step clock": self._step_clock,
            "step clock again": self._step_clock,
            "fail syncs": self._fail_syncs,
            "fail syncs again": self._fail_syncs,
        }
        if self._harmed[0].shim.library is None:
            self.left_out.append("clock steps and failing syncs: no C compiler, or not Linux")
            kinds = {name: act for name, act in kinds.items() if not name.startswith(("step", "fail"))}
        if self._room is None:
            self.left_out.append("full disk: no small disk can be mounted here")
        else:
            kinds["fill disk"] = self._fill_disk
        if self._harmed[0].link is not None:
            kinds |= {
                "cut": self._cut,
                "freeze": self._freeze,
                proxy.LOST_ANSWER: lambda: self._lose(proxy.LOST_ANSWER),
                proxy.LOST_COMMIT: lambda: self._lose(proxy.LOST_COMMIT),
                proxy.FROZEN_INSIDE: self._freeze_inside,
                "unplug": self._unplug,
            }
        return kinds

    def strike(self) -> bool:
        """Deal the first card that is fair just now; False when none is."""
        if not self._deck:
            self._deck = self._dice.sample(list(self.kinds), len(self.kinds))
        for kind in self._deck:
            if done := self.kinds[kind]():
                self._deck.remove(kind)
                self.counts[kind.removesuffix(" again")] += 1
                self.note(done)
                return True
        return False

    def note(self, what: str) -> None:
        self.said.append((time.monotonic(), what))

    def heal_due(self) -> None:
        now = time.monotonic()
        due, self._healing = [h for h in self._healing if h[0] <= now], [h for h in self._healing if h[0] > now]
        for _, heal in due:
            heal()

    def heal(self) -> None:
        """Everything, at once, for good."""
        self.healed = min(self.healed, time.monotonic())
        for _, heal in self._healing:
            heal()
        self._healing = []
        for harmed in self._harmed:
            harmed.go_on()
            harmed.shim.step_clock(0)
            harmed.shim.fail_syncs(0)
            if harmed.link is not None:
                harmed.link.heal()
        if self._room is not None:
            disk.make_room(self._room)
        self.note("everything is healed")

    @property
    def lasting(self) -> bool:
        """Is there anything that will be healed by itself?"""
        return bool(self._healing)

    @property
    def sprung(self) -> int:
        """How many conversations with PostgreSQL were broken at the chosen word."""
        return sum(harmed.link.sprung for harmed in self._harmed if harmed.link is not None)

    @property
    def failed_syncs(self) -> int:
        return sum(harmed.shim.failed for harmed in self._harmed)

    # --- the kinds: each returns what it did, "" for nothing ------------------------------------------------------

    def _kill_worker(self) -> str:
        harmed = self._one_with_a_worker()
        return self._kill(harmed.machine.worker(), f"the worker of {harmed.machine.name}") if harmed else ""

    def _kill_page(self) -> str:
        page = self._dice.choice([h.machine for h in self._harmed if isinstance(h.machine, Page)])
        return self._kill(page.pid, page.name) if page.running else ""

    def _kill_everything(self) -> str:
        if not all(self._may_lose(harmed) for harmed in self._harmed):
            return ""
        pids = [pid for h in self._harmed for pid in {h.machine.worker(), h.machine.pid} if pid]
        return "SIGKILL for everything" if sum(map(kill, pids)) else ""

    def _kill(self, pid: int, name: str) -> str:
        return f"SIGKILL for {name} ({pid})" if kill(pid) else ""

    def _stop_worker(self) -> str:
        harmed = self._one_with_a_worker(alone=True)
        if harmed is None:
            return ""
        pid, seconds = harmed.machine.worker(), self._longer()
        harmed.stop(pid)
        self._later(seconds, f"SIGCONT for the worker of {harmed.machine.name} ({pid})", harmed.go_on)
        return f"SIGSTOP for the worker of {harmed.machine.name} ({pid}), {seconds:.0f} s"

    def _stop_page(self) -> str:
        harmed = self._dice.choice([h for h in self._harmed if isinstance(h.machine, Page)])
        if not harmed.machine.running or harmed.stopped:
            return ""
        pid, seconds = harmed.machine.pid, self._dice.uniform(2, 8)
        harmed.stop(pid)
        self._later(seconds, f"SIGCONT for {harmed.machine.name} ({pid})", harmed.go_on)
        return f"SIGSTOP for {harmed.machine.name} ({pid}), {seconds:.0f} s"

    def _step_clock(self) -> str:
        harmed, step = self._dice.choice(self._harmed), self._dice.choice(CLOCK_STEPS)
        harmed.shim.step_clock(step)
        return f"the clock of {harmed.machine.name} is {step:+} s off"

    def _fail_syncs(self) -> str:
        harmed, count = self._dice.choice(self._harmed), self._dice.choice((1, 1, 3, 10))
        process = self._dice.choice((0, harmed.machine.pid))
        harmed.shim.fail_syncs(count, process)
        return f"the next {count} syncs of {harmed.machine.name} fail ({process or 'all processes'})"

    def _fill_disk(self) -> str:
        room, seconds = self._room, self._dice.uniform(2, 8)
        assert room is not None
        disk.fill(room)
        self._later(seconds, "the disk has room again", lambda: disk.make_room(room))
        return f"the disk is full, {seconds:.0f} s"

    def _cut(self) -> str:
        harmed = self._dice.choice(self._harmed)
        assert harmed.link is not None
        harmed.link.cut()
        return f"the connections of {harmed.machine.name} are cut"

    def _freeze(self) -> str:
        harmed = self._one_with_a_worker(alone=True)
        if harmed is None or (link := harmed.link) is None:
            return ""
        seconds = self._longer()
        link.freeze()
        self._later(seconds, f"the connections of {harmed.machine.name} go on", link.heal)
        return f"the connections of {harmed.machine.name} are frozen, {seconds:.0f} s"

    def _freeze_inside(self) -> str:
        harmed = self._one_with_a_worker(alone=True)
        if harmed is None or (link := harmed.link) is None:
            return ""
        link.trap = proxy.FROZEN_INSIDE
        seconds = self._longer()
        self._later(seconds, f"the connections of {harmed.machine.name} go on", link.heal)
        return f"next for {harmed.machine.name}: {proxy.FROZEN_INSIDE}, {seconds:.0f} s"

    def _lose(self, kind: str) -> str:
        """Half of the traps are the pages', where jobs are handed in and deleted."""
        free = [h for h in self._harmed if h.link is not None and not h.link.trap]
        pages = [h for h in free if isinstance(h.machine, Page)]
        harmed = self._dice.choice(self._dice.choice([pages or free, free]) or [None])
        if harmed is None or harmed.link is None:
            return ""
        harmed.link.trap = kind
        return f"next for {harmed.machine.name}: {kind}"

    def _unplug(self) -> str:
        """The machine is gone, the server holds what it had locked."""
        harmed = self._one_with_a_worker(alone=True)
        if harmed is None or (link := harmed.link) is None:
            return ""
        link.unplug()
        for pid in {harmed.machine.worker(), harmed.machine.pid}:
            kill(pid)
        seconds = self._longer()
        self._later(seconds, f"{harmed.machine.name} has its network again", link.heal)
        return f"{harmed.machine.name} loses its network and dies, {seconds:.0f} s"

    # --- what is fair -------------------------------------------------------------------------------------------

    def _longer(self) -> float:
        return self._lease + self._dice.uniform(1, 5)

    def _later(self, seconds: float, what: str, heal: Callable[[], object]) -> None:
        def do() -> None:
            heal()
            self.note(what)

        self._healing.append((time.monotonic() + seconds, do))

    def _one_with_a_worker(self, alone: bool = False) -> Harmed | None:
        """A machine on which a job runs. alone: only where at most one other hangs, so that somebody can go on."""
        hanging = [h for h in self._harmed if h.stopped or (h.link is not None and h.link.hangs)]
        if alone and len(hanging) > 1:
            return None
        fit = [h for h in self._harmed if h not in hanging and self._running(h) and self._may_lose(h)]
        return self._dice.choice(fit) if fit else None

    def _may_lose(self, harmed: Harmed) -> bool:
        """Not a job that has been lost twice where it is now: the third time it is failed, as it should be."""
        return all(
            row.losses < MAX_LOSSES - 1 or place_of(row.stage, row.step) > row.lost_place
            for row in self._running(harmed)
        )

    def _running(self, harmed: Harmed) -> list[Any]:
        """The rows of the jobs of this machine's worker."""
        tables, pid = self._jobs.store.tables, harmed.machine.worker()
        with self._jobs.store.errors():
            own = [row.id for row in tables.Worker.select(tables.Worker.id).where(tables.Worker.pid == pid)]
            mine = (tables.Job.status == Status.RUNNING) & tables.Job.worker.in_(own)
            return list(tables.Job.select().where(mine)) if pid else []
