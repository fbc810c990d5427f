"""Check the queue: the job list, the message queue, the workers, and the running jobs."""

import time
from collections.abc import Iterator

from ...errors import StoreError
from ...messages import codes, texts
from ...queue.probe import round_trip
from ...queue.types import EventKind, Status, WorkerState, representative_workers
from ..diagnosis import fault_values, free_space
from ..examination import Examination
from ..finding import BROKEN, WARN, Finding, fault, ok

LATE_SECONDS = 30.0
"""Age of a late heartbeat. A worker sends one every two seconds."""


def check_store(examination: Examination) -> Iterator[Finding]:
    """Check that the job list can be written, and that it is not damaged."""
    settings = examination.settings
    try:
        jobs = examination.jobs
        jobs.store.set_meta("doctor", str(time.time()))
        jobs.store.examine()
    except StoreError as e:
        where = {"database": settings.database, "folder": settings.home, "free": free_space(settings.home)}
        yield fault("store", BROKEN, e.code or codes.NOT_WRITABLE, error=e.message, **where)
        return
    if jobs.notice:
        yield fault("store", WARN, codes.LIST_DAMAGED, error=jobs.notice, database=settings.database)
    else:
        waiting, running = (jobs.count(statuses=[status]) for status in (Status.QUEUED, Status.RUNNING))
        yield ok("store", jobs=jobs.count(), waiting=waiting, running=running)


def check_queue(examination: Examination) -> Iterator[Finding]:
    """Check that the message queue's storage works."""
    try:
        took = round_trip(examination.settings)
    except Exception as e:  # sqlite3, psycopg, OSError, by storage
        yield fault("queue", BROKEN, "FM-QUEUE-001", error=str(e), folder=examination.settings.home)
        return
    yield ok("queue", milliseconds=1000 * took)


def check_worker(examination: Examination) -> Iterator[Finding]:
    """Check that each worker lives, or report why it died."""
    jobs = examination.jobs
    workers, waiting = representative_workers(jobs.workers()), jobs.count(statuses=[Status.QUEUED])
    living = [worker for worker in workers if worker.alive]
    dead = [worker for worker in workers if worker.state == WorkerState.CRASHED]
    for crashed in dead:
        if crashed.cause.code == codes.PACKAGE_MISSING:
            yield fault("worker", BROKEN, codes.PACKAGE_MISSING, module=crashed.cause.values["name"])
        else:
            first = crashed.last_output.strip().split("\n", 1)[0]
            yield fault("worker", BROKEN, "FM-WORKER-002", error=crashed.cause or first)
    if not living and not dead:
        yield fault("worker", WARN, "FM-WORKER-001", waiting=waiting) if waiting else ok("worker", "worker_idle")
    for one in living:
        age = max(0.0, time.time() - one.heartbeat)
        if age > LATE_SECONDS:
            yield fault("worker", WARN, "FM-WORKER-008", age=age)
        else:
            yield ok("worker", state=texts.Word("states", one.state), device=one.device, pid=one.pid, age=age)


def check_running_jobs(examination: Examination) -> Iterator[Finding]:
    """Read the faults of running jobs from their events: an idle GPU, a lost worker."""
    jobs = examination.jobs
    for job in jobs.list(statuses=[Status.RUNNING]):
        for event in jobs.events_since(job.id, 0, 10_000):
            if event.kind == EventKind.LOG and "code" in event.data:
                values = {**event.data, "attempts": event.data.get("attempt")}
                yield fault("worker", WARN, values.pop("code"), **values)
            if event.kind == EventKind.FAULT:
                yield fault("watch", WARN, event.text, **fault_values(event))
