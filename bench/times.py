"""How true the times are: what is said before a job, what it takes, and how its bar moves.

    python bench/times.py [--home FOLDER] [--from 0] [--to 30] [--load N]

Thirty jobs of `mini`, one after the other, through the queue and a real worker, as `generate` and the page see them:
sizes, lengths, qualities, upright and wide photos, with and without the photo's detail. For each the time that is said
before it, the seconds from handing in to the finished file, the longest time in which the bar shows the same per cent
(as a share of the whole), and how far the time left was off. The first job of a kind and the later ones are counted
apart. `--load N` burns N processes beside it. A part of the jobs at a time: the same --home with --from and --to; the
table counts all that the folder knows. Writes FOLDER/times.jsonl.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from fanslymotion.models.find import find_model
from fanslymotion.pipeline.families.forecast import forecast, with_worker_start
from fanslymotion.pipeline.memory.request_plan import plan_request
from fanslymotion.pipeline.request import VideoRequest
from fanslymotion.presets import Presets, load_presets
from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.liveness.supervisor import Supervisor
from fanslymotion.queue.worker.loaded_note import loaded
from fanslymotion.settings import ROOT, Settings
from PIL import Image

PHOTO = ROOT / "assets" / "sample.jpg"
POLL_SECONDS = 0.1
BURN = "while True: pass"

Kind = tuple[str, int, str, str, bool]
"""Resolution, seconds, quality, the photo's format, detail."""

SEQUENCE: list[Kind] = [
    ("480p", 6, "standard", "wide", True),
    ("480p", 6, "standard", "wide", True),
    ("720p", 6, "standard", "wide", True),
    ("480p", 6, "standard", "upright", True),
    ("480p", 6, "smooth", "wide", True),
    ("480p", 12, "standard", "wide", True),
    ("480p", 6, "standard", "wide", False),
    ("720p", 6, "standard", "wide", True),
    ("480p", 6, "sampled", "wide", True),
    ("1080p", 6, "standard", "wide", False),
    ("480p", 6, "standard", "upright", True),
    ("720p", 6, "smooth", "wide", True),
    ("480p", 6, "smooth", "wide", True),
    ("480p", 6, "standard", "wide", False),
    ("720p", 6, "standard", "upright", True),
    ("480p", 12, "standard", "wide", True),
    ("1080p", 6, "standard", "wide", True),
    ("480p", 6, "sampled", "wide", True),
    ("720p", 6, "smooth", "wide", True),
    ("480p", 6, "standard", "wide", True),
    ("720p", 12, "standard", "wide", True),
    ("480p", 6, "smooth", "upright", False),
    ("720p", 6, "standard", "wide", True),
    ("1080p", 6, "standard", "wide", True),
    ("480p", 6, "smooth", "wide", True),
    ("480p", 12, "smooth", "upright", True),
    ("720p", 6, "standard", "upright", True),
    ("480p", 6, "standard", "upright", True),
    ("1080p", 6, "standard", "wide", False),
    ("480p", 6, "standard", "wide", True),
]


@dataclass(frozen=True)
class Row:
    """One job. Seconds; stand and off are shares of the whole.

    Attributes:
        number: its place in SEQUENCE.
        kind: as there.
        first: no job of this kind came before it.
        said: what was expected before it.
        took: from handing in to the finished file.
        stand: the longest time in which the bar showed the same per cent, once the job had begun.
        stood_at: that per cent, and the stage.
        timed: share of the time in which a time left was shown.
        off: mean difference of the time left from what it was.
        said_stages, stages: seconds by stage, expected and taken.
        bar: (seconds, share, stage) at each change that was seen.
    """

    number: int
    kind: Kind
    first: bool
    said: float
    took: float
    stand: float
    stood_at: str
    timed: float
    off: float
    said_stages: dict[str, float]
    stages: dict[str, float]
    bar: list[tuple[float, float, str]]

    @property
    def error(self) -> float:
        """What it took over what was said, less one."""
        return self.took / self.said - 1


class Bench:
    """The jobs of one data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = Settings.local(home, home / "models")
        self.presets: Presets = load_presets(self.settings)
        self.jobs = Jobs(self.settings)
        self.results = home / "times.jsonl"

    def rows(self) -> list[Row]:
        """Return what was measured in this folder."""
        if not self.results.exists():
            return []
        lines = self.results.read_text(encoding="utf-8").splitlines()
        return [Row(**{**json.loads(line), "kind": tuple(json.loads(line)["kind"])}) for line in lines]

    def photo(self, format: str) -> Path:
        """Return the sample photo, turned for "upright"."""
        if format == "wide":
            return PHOTO
        path = self.home / "upright.jpg"
        if not path.exists():
            with Image.open(PHOTO) as image:
                image.transpose(Image.Transpose.ROTATE_90).save(path)
        return path

    def run(self, number: int) -> Row:
        """Run one job and keep its row."""
        kind = SEQUENCE[number]
        resolution, seconds, quality, format, detail = kind
        request = VideoRequest(
            resolution=resolution, seconds=seconds, quality=quality, model="mini", seed=number, detail=detail
        )
        photo = self.photo(format)
        said = self._said(request, photo)
        began = time.time()
        job = self.jobs.submit(photo, request)
        seen = [(began, job)]
        while not job.status.final:
            time.sleep(POLL_SECONDS)
            job = self.jobs.get(job.id)
            seen.append((time.time(), job))
        if job.status != "done" or job.finished is None:
            raise SystemExit(f"the job ended as {job.status}: {job.error}")
        took = job.finished - began
        stand, stood_at = longest_stand([(at, f"{x.fraction:.0%} {x.stage}") for at, x in seen if x.stage])
        left = [(x.eta_seconds, job.finished - at) for at, x in seen if x.eta_seconds is not None]
        row = Row(
            number=number,
            kind=kind,
            first=all(known.kind != kind for known in self.rows()),
            said=sum(said.values()),
            took=took,
            stand=stand / took,
            stood_at=stood_at,
            timed=len(left) / len(seen),
            off=sum(abs(a - b) for a, b in left) / len(left) / took if left else 0.0,
            said_stages=said,
            stages=stage_seconds([(at, x.stage or "waiting") for at, x in seen]),
            bar=[
                (round(at - began, 2), round(now.fraction, 4), now.stage)
                for (_, before), (at, now) in pairwise(seen)
                if (now.fraction, now.stage) != (before.fraction, before.stage)
            ],
        )
        with open(self.results, "a", encoding="utf-8") as out:
            out.write(json.dumps(asdict(row)) + "\n")
        return row

    def _said(self, request: VideoRequest, photo: Path) -> dict[str, float]:
        model = find_model(request.model, self.presets, self.settings)
        workers = self.jobs.workers()
        own = [worker.pid for worker in workers if worker.alive]
        warm = loaded(self.jobs.store, workers)
        with Image.open(photo) as image:
            plan = plan_request(request, image.size, model, self.presets, self.settings, own=own, loaded=warm)
        ready = any(worker.alive and worker.state != "starting" for worker in workers)
        found = forecast(plan) if ready else with_worker_start(forecast(plan))
        return {str(stage): seconds for stage, seconds in found.stage_seconds.items()}


def longest_stand(seen: list[tuple[float, str]]) -> tuple[float, str]:
    """Return the longest time without a change, and what was shown meanwhile. seen: (time, what is shown)."""
    changes = [seen[0], *(now for before, now in pairwise(seen) if now[1] != before[1]), seen[-1]]
    return max((end[0] - begin[0], begin[1]) for begin, end in pairwise(changes))


def stage_seconds(seen: list[tuple[float, str]]) -> dict[str, float]:
    """Return how long each stage was seen."""
    found: dict[str, float] = {}
    for (begin, stage), (end, _) in pairwise(seen):
        found[stage] = found.get(stage, 0.0) + end - begin
    return found


@contextmanager
def load(count: int) -> Iterator[None]:
    """Burn so many processes beside the jobs."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def words(row: Row) -> str:
    """One line of the table."""
    resolution, seconds, quality, format, detail = row.kind
    kind = f"{resolution} {seconds} s {quality} {format}{'' if detail else ' no detail'}"
    return (
        f"{row.number:2} {kind:36} {'first' if row.first else 'later'} said {row.said:5.1f} took {row.took:5.1f} "
        f"{row.error:+5.0%}  stand {row.stand:4.0%} at {row.stood_at:16} "
        f"time left shown {row.timed:4.0%} off {row.off:4.0%}"
    )


def summary(rows: list[Row]) -> str:
    """What the table comes to."""
    said = []
    for name, chosen, limit in (
        ("the first job of all", rows[:1], 0.35),
        ("first of a kind", [row for row in rows[1:] if row.first], 0.35),
        ("later ones", [row for row in rows if not row.first], 0.15),
    ):
        errors = sorted(abs(row.error) for row in chosen)
        if errors:
            within = sum(error <= limit for error in errors)
            said.append(
                f"{name}: {within} of {len(errors)} within ±{limit:.0%}, median {errors[len(errors) // 2]:.0%}, "
                f"most {errors[-1]:.0%}"
            )
    stands = sorted(row.stand for row in rows)
    within = sum(stand <= 0.05 for stand in stands)
    said.append(f"the bar: {within} of {len(stands)} stand for at most 5 %, most {stands[-1]:.0%}")
    return "\n".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", type=Path, help="a data folder to go on with (default: a new one)")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--to", type=int, default=len(SEQUENCE))
    parser.add_argument("--load", type=int, default=0, help="processes that burn beside the jobs")
    given = parser.parse_args()
    with ExitStack() as stack:
        home = given.home or Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        home.mkdir(parents=True, exist_ok=True)
        bench = Bench(home.absolute())
        stack.enter_context(load(given.load))
        stack.enter_context(Supervisor(bench.settings))
        for number in range(given.first, given.to):
            print(words(bench.run(number)), flush=True)
        print(summary(bench.rows()))


if __name__ == "__main__":
    main()
