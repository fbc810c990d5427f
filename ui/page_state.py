"""Serialise what every page shows: workers, waiting and running jobs."""

from typing import Any

from ..queue.jobs import Jobs
from ..queue.store.listing import Owner
from ..queue.types import Job, Status, representative_workers
from .error_response import in_each_language
from .serializers import seconds_before, worker_json
from .starts import Expected, StartTimes

MOST_ACTIVE = 200
ACTIVE = (Status.RUNNING, Status.QUEUED)
UNKNOWN = Expected(None, None)


def machine_json(jobs: Jobs, owner: Owner, owns: bool = True, starts: StartTimes | None = None) -> dict[str, Any]:
    """Return the JSON of workers, waiting and running jobs; times in Unix seconds.

    `active` are the first MOST_ACTIVE of them; `unlisted` is the number of those behind.

    Args:
        jobs: The queue.
        owner: Whose jobs are listed, None = all; other logins' jobs are only counted.
        owns: The login owns the machine, and may see what workers wrote before they crashed.
        starts: Forecasts when waiting jobs start; None = left out.
    """
    active = jobs.list(owner=owner, statuses=ACTIVE, limit=MOST_ACTIVE)
    mine = {job.id for job in active}
    count = len(active) if len(active) < MOST_ACTIVE else jobs.count(owner=owner, statuses=ACTIVE)
    known, paused = jobs.workers(), jobs.paused
    everybodys = active if owner is None else jobs.list(statuses=ACTIVE, limit=MOST_ACTIVE)
    expected = starts.expected(everybodys, known, paused) if starts else {}
    return {
        "workers": [worker_json(worker, mine, owns) for worker in representative_workers(known)],
        "active": [active_json(job, expected.get(job.id, UNKNOWN)) for job in active],
        "unlisted": count - len(active),
        "waiting": jobs.count(statuses=(Status.QUEUED,)),
        "paused": paused,
        "notice": jobs.notice,
    }


def active_json(job: Job, expected: Expected) -> dict[str, Any]:
    """Return the short JSON of a running or waiting job, which every page gets every half second.

    `length`: seconds of the video, with the one that it continues. `starts_in`: whole seconds until a waiting job
    starts; `takes`: seconds that it takes, or still takes. None: unknown.
    """
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status.value,
        "cancelling": job.cancelling,
        "place": job.place,
        "stage": job.stage,
        "fraction": round(job.fraction, 3),
        "eta_seconds": job.eta_seconds,
        "attempt": job.attempt,
        "length": job.request.seconds + seconds_before(job.folder),
        "starts_in": whole(expected.starts_in),
        "takes": whole(expected.seconds),
        "waits_for": in_each_language(job.waits_for) if job.waits_for else None,
        "settings": {key: getattr(job.request, key) for key in ("resolution", "seconds", "quality", "model", "mode")},
    }


def whole(seconds: float | None) -> int | None:
    """Return whole seconds, so that the state does not change at every read."""
    return None if seconds is None else round(seconds)
