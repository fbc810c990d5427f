"""Says after a campaign what was promised and not kept. Everything is healed and the queue is empty by then."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanslymotion.queue.jobs import Jobs
from fanslymotion.queue.store.rows import PHOTO_NAME, RECORD_NAME, VIDEO_NAME, photo_of
from fanslymotion.queue.types import Job, Status

from .processes import frames_hash
from .users import Told

KINDS = ("lost", "doubled", "ghost", "revived", "stuck", "failed", "frames", "left behind", "cancel", "damaged")
"""Of violations. failed: for a reason that was not given; cancel: done although a page said that it ends."""

DISK_FAULTS = ("FM-DISK-001", "FM-VIDEO-001", "FM-VIDEO-003", "FM-JOB-000")
"""How a job may end when the disk is full or does not sync; its user is told and tries again."""


@dataclass(frozen=True)
class Violation:
    """job: its id, or what else it is about."""

    kind: str
    job: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.job}: {self.what}"


def judge(jobs: Jobs, told: Told, expected: Mapping[int, str], disk_failed: bool) -> list[Violation]:
    """expected: seed -> hash of the frames of an undisturbed run. disk_failed: the campaign did that to it."""
    rows = all_jobs(jobs)
    found = [Violation("lost", i, "no such job") for i in told.accepted if i not in rows and i not in told.delete_tried]
    found += [Violation("revived", i, "it was deleted") for i in sorted(told.deleted) if i in rows]
    for job in rows.values():
        found += _ended(jobs, job, told, disk_failed)
        found += _files(job, expected)
    found += _twins(rows, told)
    found += _strangers(jobs, rows, told)
    if (health := jobs.store.check()) != "ok":
        found.append(Violation("damaged", "jobs.db", health))
    return found


def all_jobs(jobs: Jobs) -> dict[str, Job]:
    return {job.id: job for job in jobs.list(limit=100_000)}


def ends(jobs: Jobs, job: Job) -> list[str]:
    """The final statuses in its events."""
    events = jobs.events_since(job.id, 0, 100_000)
    return [event.text for event in events if event.kind == "status" and Status(event.text).final]


def _ended(jobs: Jobs, job: Job, told: Told, disk_failed: bool) -> list[Violation]:
    found = []
    finals = ends(jobs, job)
    if not job.status.final:
        found.append(Violation("stuck", job.id, f"{job.status} at {job.stage}, step {job.step} of {job.steps}"))
    elif finals != [str(job.status)]:
        found.append(Violation("doubled", job.id, f"it is {job.status} and ended as {finals}"))
    given = disk_failed and job.error.code in DISK_FAULTS
    ghost = not photo_of(job.folder).is_file()
    if job.status is Status.FAILED and not (given or ghost):
        found.append(Violation("failed", job.id, job.error))
    if job.status is Status.CANCELLED and job.id not in told.cancel_tried:
        found.append(Violation("lost", job.id, "cancelled, which no user asked for"))
    if job.status is Status.DONE and job.id in told.cancelled:
        found.append(Violation("cancel", job.id, "done"))
    return found


def _files(job: Job, expected: Mapping[int, str]) -> list[Violation]:
    found = []
    if not photo_of(job.folder).is_file():
        found.append(Violation("ghost", job.id, f"{job.status} without a photo"))
    if job.video is not None:
        if not job.video.is_file():
            found.append(Violation("lost", job.id, "done without a video"))
        elif frames_hash(job.video) != expected[job.request.seed]:
            found.append(Violation("frames", job.id, f"other ones than undisturbed, seed {job.request.seed}"))
    if job.folder.is_dir() and job.status is not Status.FAILED:
        wanted = {PHOTO_NAME, RECORD_NAME} | ({VIDEO_NAME} if job.video else set())
        more = sorted({path.name for path in job.folder.iterdir()} - wanted)
        if more:
            found.append(Violation("left behind", job.id, f"{job.status} with {more}"))
    return found


def _twins(rows: Mapping[str, Job], told: Told) -> list[Violation]:
    """More jobs of one photo than its user has asked for."""
    counts = Counter(job.name for job in rows.values())
    most = {name: told.asked.get(name, 0) for name in counts}
    return [
        Violation("doubled", name, f"{count} jobs, asked for {most[name]}")
        for name, count in sorted(counts.items())
        if count > most[name]
    ]


def _strangers(jobs: Jobs, rows: Mapping[str, Job], told: Told) -> list[Violation]:
    """Folders of no job, and unfinished files anywhere."""
    found, folder = [], jobs.settings.jobs_dir
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in rows:
            inside = sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []
            which = "deleted" if path.name in told.delete_tried else "unknown"
            found.append(Violation("left behind", path.name, f"the folder of a {which} job, with {inside}"))
    return found + [Violation("left behind", str(path), "unfinished") for path in parts(jobs.settings.home)]


def parts(home: Path) -> Sequence[Path]:
    return sorted(path for path in home.rglob("*.part") if "uploads" not in path.parts)
