"""Report why the last failed job failed."""

from collections.abc import Iterator, Mapping
from typing import Any

from ...messages import codes
from ...pipeline.progress import Stage
from ...queue.types import Event, EventKind, Status
from ..diagnosis import diagnose
from ..examination import Examination
from ..finding import WARN, Finding, fault, ok


def check_last_failure(examination: Examination) -> Iterator[Finding]:
    """Report the last failed job's diagnosis. Without a specific one, the stage of a worker's death tells more."""
    jobs = examination.jobs
    failed = jobs.list(statuses=[Status.FAILED], limit=1)
    if not failed:
        yield ok("log", "log_none")
        return
    events = [event for event in jobs.events_since(failed[0].id, 0, 10_000) if event.kind == EventKind.LOG]
    wrong = [event for event in events if event.level in ("WARNING", "ERROR")]
    stage = _last_death(events).get("stage")
    found = diagnose(failed[0], examination.presets)
    if stage == "":  # it had taken the job, and imported the libraries
        yield fault("log", WARN, "FM-WORKER-007", line=_last_own_line(events))
    elif found is not None and found.code not in (codes.UNFORESEEN, codes.WORKER_DIED):
        yield Finding("log", WARN, found.code, diagnosis=found)
    elif stage == Stage.LOADING:
        yield fault("log", WARN, codes.MEMORY_WHILE_LOADING, error=_last_own_line(events), variant="alone")
    elif found is not None and found.code == codes.WORKER_DIED:
        yield fault("log", WARN, found.code, **found.values)
    elif wrong:
        yield fault("log", WARN, "FM-JOB-001", count=len(wrong), line=wrong[-1].text.splitlines()[0])
    else:
        yield ok("log")


def _last_death(events: list[Event]) -> Mapping[str, Any]:
    """Return the `code` and `stage` of the death that ended the job.

    Empty if it failed otherwise, or if its worker ended by itself since the graphics card was lost: that is told by
    the diagnosis.
    """
    last = events[-1].data if events else {}
    return last if "stage" in last and last["code"] != codes.CARD_LOST else {}


def _last_own_line(events: list[Event]) -> str:
    """Return the last line that the worker itself wrote. Lines written after its death have data."""
    own = [event.text.splitlines()[0] for event in events if event.text and not event.data]
    return own[-1] if own else ""
