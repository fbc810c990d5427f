"""The checks that command and page share. Each has a result, and when it is not ok a code, a cause and a fix."""

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from ..errors import FanslymotionError, StoreError
from ..fs import nearest_existing
from ..messages import codes, texts
from ..models.download.proxies import ignored_proxies
from ..models.find import default_model
from ..models.registry import list_models
from ..pipeline.hardware import container, devices
from ..pipeline.hardware.cpu import cpu_name
from ..pipeline.hardware.torch_build import torch_build
from ..pipeline.media.ffmpeg import CREATION_FLAGS, ffmpeg_path
from ..presets import Presets, load_presets
from ..queue.crash_diagnosis import MISSING_CODE
from ..queue.jobs import MIN_FREE_BYTES, Jobs
from ..queue.probe import round_trip
from ..queue.types import Status, representative_workers
from ..settings import ROOT, Settings
from . import loading
from .diagnosis import Diagnosis, diagnose, fault_values, file_size, free_space, size

OK, WARN, BROKEN, UNKNOWN = "ok", "warn", "broken", "unknown"
UTF8 = {"PYTHONUTF8": "1"}
"""For Python children whose words are read here: a pipe has the system's code page otherwise (Windows)."""
LATE_SECONDS = 30.0
"""A heartbeat comes every two seconds."""
LOW_DISK = 2 << 30
LOW_MEMORY = 2 << 30
HOT = 90.0
LAST_LINES = {
    **dict.fromkeys(("[WORKER] ", "[START] ", "[DEBUG] Metadata loaded"), "import"),
    "[INFO] Getting renderer": "load",
}
"""What a worker was at when its log stops there."""


@dataclass(frozen=True)
class Check:
    """A finding in words. code, title, cause, fix: of the fault, "" when ok."""

    key: str
    result: str
    name: str
    detail: str = ""
    code: str = ""
    title: str = ""
    cause: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Finding:
    """What a check has found; its words are chosen by `say`.

    key: of the check. result: ok, warn, broken or unknown. code: of the fault, "" when ok. detail: else the key of the
    catalogue's text. diagnosis: of the failed job that it is about, which then has the words.
    """

    key: str
    result: str
    code: str = ""
    detail: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None

    def say(self, language: str = "en") -> Check:
        name = texts.say("checks", self.key, {}, language)
        if not self.code:
            return Check(self.key, self.result, name, texts.say("details", self.detail, self.values, language))
        if self.diagnosis is not None:
            said = self.diagnosis.say(language)
            title, cause, fix = said["title"], said["cause"], said["fix"]
        else:
            text = texts.fault(self.code, self.values, language)
            title, cause, fix = text.title, text.cause, text.fix
        return Check(self.key, self.result, name, title, self.code, title, cause, fix)


class Doctor:
    """Runs every check; none of them raises, whatever is broken."""

    def __init__(self, settings: Settings, load: bool = False, page: bool = False) -> None:
        """load: also load a model, page: also build the page, each in a process of its own."""
        self.settings, self.load, self.with_page = settings, load, page

    def run(self) -> list[Finding]:
        return [finding for key, look in self._looks() for finding in self._one(key, look)]

    def _one(self, key: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
        try:
            return list(look())
        except StoreError:
            return []  # `store`, which comes first, has said what is wrong with it
        except Exception as e:  # a doctor that dies of the illness helps nobody
            return [self.fault(key, BROKEN, "FM-JOB-000", error=f"{type(e).__name__}: {e}")]

    def _looks(self) -> list[tuple[str, Callable[[], Iterator[Finding]]]]:
        return [
            ("python", self.python),
            ("packages", self.packages),
            ("proxies", self.proxies),
            ("page", self.page),
            ("store", self.store),
            ("queue", self.queue),
            ("worker", self.worker),
            ("disk", self.disk),
            ("memory", self.memory),
            ("gpu", self.gpu),
            ("watch", self.watch),
            ("models", self.models),
            ("ffmpeg", self.ffmpeg),
            ("log", self.log),
            ("load", self.loads),
        ]

    # --- saying it ----------------------------------------------------------------------------------------------

    def ok(self, key: str, detail: str = "", **values: Any) -> Finding:
        """detail: the text's key, by default the check's own."""
        result = UNKNOWN if detail == "load_skipped" else OK
        return Finding(key, result, detail=detail or key, values=values)

    def fault(self, key: str, result: str, code: str, **values: Any) -> Finding:
        return Finding(key, result, code, values=values)

    # --- the checks ---------------------------------------------------------------------------------------------

    def python(self) -> Iterator[Finding]:
        now, system = platform.python_version(), f"{platform.system()} {platform.release()}"
        if not (3, 11) <= sys.version_info[:2] < (3, 14):
            yield self.fault("python", BROKEN, "FM-PY-001", version=now)
        else:
            yield self.ok("python", version=now, system=system)

    def packages(self) -> Iterator[Finding]:
        wanted = requirements(ROOT / "requirements.txt")
        wrong = wrong_packages(wanted)
        if wrong:
            yield self.fault("packages", BROKEN, "FM-PY-002", packages="; ".join(wrong))
            return
        build = torch_build()
        yield self.ok("packages", count=len(wanted), torch=build.version, build=build.kind)

    def proxies(self) -> Iterator[Finding]:
        if names := ignored_proxies():
            yield self.fault("proxies", WARN, "FM-NET-001", names=", ".join(names))

    def page(self) -> Iterator[Finding]:
        if not self.with_page:  # asked by the page itself
            return
        if error := cannot_build_page(self.settings):
            yield self.fault("page", BROKEN, "FM-PY-003", error=error)
        else:
            yield self.ok("page")

    def store(self) -> Iterator[Finding]:
        try:
            jobs = self.jobs
            jobs.store.set_meta("doctor", str(time.time()))
            jobs.store.examine()
        except StoreError as e:
            home = self.settings.home
            where = {"database": self.settings.database, "folder": home, "free": free_space(home)}
            yield self.fault("store", BROKEN, e.code or codes.NOT_WRITABLE, error=e.message, **where)
            return
        if jobs.notice:
            yield self.fault("store", WARN, "FM-QUEUE-003", error=jobs.notice, database=self.settings.database)
        else:
            waiting, running = (jobs.count(statuses=[status]) for status in (Status.QUEUED, Status.RUNNING))
            yield self.ok("store", jobs=jobs.count(), waiting=waiting, running=running)

    def queue(self) -> Iterator[Finding]:
        try:
            took = round_trip(self.settings)
        except Exception as e:  # sqlite3, psycopg, OSError, by storage
            yield self.fault("queue", BROKEN, "FM-QUEUE-001", error=str(e), folder=self.settings.home)
            return
        yield self.ok("queue", milliseconds=1000 * took)

    def worker(self) -> Iterator[Finding]:
        jobs = self.jobs
        workers, waiting = jobs.workers(), jobs.count(statuses=[Status.QUEUED])
        telling_ones = representative_workers(workers)
        living = [worker for worker in telling_ones if worker.alive]
        if telling_ones and telling_ones[0].state == "crashed":
            crashed = telling_ones[0]
            if crashed.cause.code == MISSING_CODE:
                yield self.fault("worker", BROKEN, MISSING_CODE, module=crashed.cause.values["name"])
            else:
                first = crashed.last_output.strip().split("\n", 1)[0]
                yield self.fault("worker", BROKEN, "FM-WORKER-002", error=crashed.cause or first)
        elif not living:
            if waiting:
                yield self.fault("worker", WARN, "FM-WORKER-001", waiting=waiting)
            else:
                yield self.ok("worker", "worker_idle")
        for one in living:
            age = max(0.0, time.time() - one.heartbeat)
            if age > LATE_SECONDS:
                yield self.fault("worker", WARN, "FM-WORKER-008", age=age)
            else:
                yield self.ok("worker", state=texts.Word("states", one.state), device=one.device, pid=one.pid, age=age)

    def disk(self) -> Iterator[Finding]:
        for folder in dict.fromkeys((self.settings.home, self.settings.models)):
            place = nearest_existing(folder)
            free = shutil.disk_usage(place).free
            if problem := unwritable(place):
                yield self.fault("disk", BROKEN, "FM-DISK-002", folder=folder, error=problem)
            elif free < LOW_DISK:
                result = BROKEN if free < MIN_FREE_BYTES else WARN
                yield self.fault("disk", result, "FM-DISK-001", folder=folder, free=file_size(free))
            else:
                yield self.ok("disk", free=file_size(free), folder=folder)

    def memory(self) -> Iterator[Finding]:
        memory = container.memory()
        values = {"free": size(memory.available), "total": size(memory.total)}
        if memory.available < LOW_MEMORY:
            yield self.fault("memory", WARN, "FM-MEM-003", need="8 GB", **values)
        else:
            yield self.ok("memory", "memory_limited" if memory.limited else "", **values)

    def gpu(self) -> Iterator[Finding]:
        watch, build = devices.GpuWatch(), torch_build()
        gpus, sample = watch.describe(), watch.sample()
        name = ", ".join(gpus.names)
        if gpus.kind == "nvidia" and build.cuda is None:
            yield self.fault("gpu", BROKEN, "FM-GPU-002", name=name, driver=gpus.driver, torch=build.version)
        elif gpus.kind == "nvidia" and not devices.usable(gpus, build):
            have, need = (".".join(map(str, pair)) for pair in (gpus.cuda, build.cuda or (0, 0)))
            values = {"driver": gpus.driver, "have": have, "need": need, "torch": build.version}
            yield self.fault("gpu", BROKEN, "FM-GPU-003", **values)
        elif gpus.kind == "amd" and not build.hip:
            yield self.fault("gpu", WARN, "FM-GPU-006", name=name, torch=build.version, build=build.kind)
        elif not devices.usable(gpus, build):
            yield self.ok("gpu", "gpu_none", cpu=cpu_name(), cores=container.cpus())
            return
        else:
            yield self.ok("gpu", name=name, driver=gpus.driver, build=build.kind)
        if sample is None:
            return
        try:
            mine = frozenset(worker.pid for worker in self.jobs.workers() if worker.alive)
        except StoreError:  # the card is looked at all the same
            mine = frozenset()
        free, total = size(sample.memory_free), size(sample.memory_total)
        holders = devices.others(sample, mine)
        if holders and sample.memory_free < 0.6 * sample.memory_total:
            named = ", ".join(f"{p.name} ({size(p.memory)})" if p.memory else p.name for p in holders[:4])
            yield self.fault("vram", WARN, "FM-GPU-004", free=free, total=total, holders=named)
        else:
            yield self.ok("vram", free=free, total=total)
        if sample.temperature is not None and sample.temperature >= HOT:
            yield self.fault("watch", WARN, "FM-GPU-007", temperature=sample.temperature)

    def watch(self) -> Iterator[Finding]:
        """What befell a running job stands in its events: a card that does not work, a worker that died."""
        jobs = self.jobs
        for job in jobs.list(statuses=[Status.RUNNING]):
            for event in jobs.events_since(job.id, 0, 10_000):
                if event.kind == "log" and "code" in event.data:
                    values = {**event.data, "attempts": event.data.get("attempt")}
                    yield self.fault("worker", WARN, values.pop("code"), **values)
                if event.kind == "fault":
                    yield self.fault("watch", WARN, event.text, **fault_values(event))

    def models(self) -> Iterator[Finding]:
        entries = list_models(self.presets, self.settings)
        damaged = [entry for entry in entries if entry.state == "damaged"]
        for entry in damaged:
            values = {"error": entry.problem, "model": entry.name, "variant": entry.preset.source}
            yield self.fault("models", BROKEN, "FM-MODEL-002", **values)
        ready = [entry.name for entry in entries if entry.ready]
        if ready and not damaged:
            yield self.ok("models", names=", ".join(ready))
        elif not ready:
            yield self.fault("models", BROKEN, "FM-MODEL-001", model="mini", variant="bundled")

    def ffmpeg(self) -> Iterator[Finding]:
        try:
            yield self.ok("ffmpeg", version=try_ffmpeg())
        except (FanslymotionError, OSError, subprocess.SubprocessError) as e:
            yield self.fault("ffmpeg", BROKEN, "FM-VIDEO-001", error=str(e))

    def log(self) -> Iterator[Finding]:
        """What the last failed job died of; where nobody foresaw it, the place at which its log stops says more."""
        jobs = self.jobs
        failed = jobs.list(statuses=[Status.FAILED], limit=1)
        if not failed:
            yield self.ok("log", "log_none")
            return
        events = [event for event in jobs.events_since(failed[0].id, 0, 10_000) if event.kind == "log"]
        wrong = [event for event in events if event.level in ("WARNING", "ERROR")]
        # The worker's own last line: what others wrote after its death, with data, is not where it stopped.
        own = [event.text.splitlines()[0] for event in events if event.text and not event.data]
        last = own[-1] if own else ""
        stops = next((why for start, why in LAST_LINES.items() if last.startswith(start)), "")
        found = diagnose(failed[0], self.presets)
        if stops == "import":
            yield self.fault("log", WARN, "FM-WORKER-007", line=last)
        elif found is not None and found.code not in ("FM-JOB-000", "FM-WORKER-004"):
            yield Finding("log", WARN, found.code, diagnosis=found)
        elif stops == "load":
            yield self.fault("log", WARN, "FM-MEM-001", error=last, variant="alone")
        elif found is not None and found.code == "FM-WORKER-004":
            yield self.fault("log", WARN, found.code, **found.values)
        elif wrong:
            yield self.fault("log", WARN, "FM-JOB-001", count=len(wrong), line=wrong[-1].text.splitlines()[0])
        else:
            yield self.ok("log")

    def loads(self) -> Iterator[Finding]:
        if not self.load:
            yield self.ok("load", "load_skipped")
            return
        model = default_model(self.presets, self.settings)
        code = (
            "import sys, fanslymotion.doctor.loading as loading; from fanslymotion.settings import Settings; "
            "loading.main(Settings.from_env(), sys.argv[1])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, model],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=self.settings.environ() | UTF8,
        )
        if done.returncode:
            error = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
            of_memory = done.returncode in (loading.OUT_OF_MEMORY, -9)
            values = {"error": error, "model": model, "variant": "alone"}
            yield self.fault("load", BROKEN, "FM-MEM-001" if of_memory else "FM-MODEL-006", **values)
            return
        told = json.loads(done.stdout.splitlines()[-1])
        yield self.ok("load", model=model, seconds=told["seconds"], memory=size(told["bytes"]), device=told["device"])

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.settings)

    @cached_property
    def presets(self) -> Presets:
        return load_presets(self.settings)


def worst(checks: Sequence[Finding]) -> str:
    results = {check.result for check in checks}
    return BROKEN if BROKEN in results else WARN if WARN in results else OK


def requirements(path: Path) -> list[Requirement]:
    """The pinned packages that belong to this system."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text and not text.startswith("-"):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate():
                found.append(requirement)
    return found


def wrong_packages(packages: list[Requirement]) -> list[str]:
    """Those that are missing, or of another version than was tested."""
    wrong = []
    for wanted in packages:
        try:
            have = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{wanted.name} is missing")
            continue
        if not wanted.specifier.contains(have.split("+")[0], prereleases=True):
            wrong.append(f"{wanted.name} is {have}, it must be {wanted.specifier}")
    return wrong


def unwritable(folder: Path) -> str:
    """Why nothing can be written there, "" when it can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as e:
        return e.strerror or str(e)


def cannot_build_page(settings: Settings) -> str:
    """Why the page cannot be built, in a process of its own as at a start; "" when it can."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fanslymotion.ui.server.trial"],
        capture_output=True, encoding="utf-8", errors="replace", env=settings.environ() | UTF8,
    )  # fmt: skip
    if not done.returncode:
        return ""
    return (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]


def try_ffmpeg() -> str:
    """Write and read a tenth of a second of video; return ffmpeg's version. Raise when it does not work."""
    program = ffmpeg_path()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clip = Path(folder) / "clip.mp4"
        make = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=0.2", "-c:v", "libx264", "-y", str(clip)]
        for words in (make, ["-i", str(clip), "-f", "null", "-"]):
            command = [program, "-v", "error", *words]
            subprocess.run(command, check=True, capture_output=True, timeout=60, creationflags=CREATION_FLAGS)
    said = subprocess.run(
        [program, "-version"], capture_output=True, encoding="utf-8", errors="replace", timeout=30
    ).stdout
    return said.split()[2] if said.startswith("ffmpeg version") else "?"
