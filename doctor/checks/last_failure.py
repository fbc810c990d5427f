"""Report why the last failed job failed."""

from collections.abc import Iterator

from ...messages import codes
from ...queue.types import Event, Status
from ..diagnosis import diagnose
from ..examination import Examination
from ..finding import WARN, Finding, fault, ok

LAST_LINES = {
    **dict.fromkeys(("[WORKER] ", "[START] ", "[DEBUG] Metadata loaded"), "import"),
    "[INFO] Getting renderer": "load",
}
"""What a worker was doing if its log ends with such a line."""


def check_last_failure(examination: Examination) -> Iterator[Finding]:
    """Report the last failed job's diagnosis. Without a specific one, the last line of its log tells more."""
    jobs = examination.jobs
    failed = jobs.list(statuses=[Status.FAILED], limit=1)
    if not failed:
        yield ok("log", "log_none")
        return
    events = [event for event in jobs.events_since(failed[0].id, 0, 10_000) if event.kind == "log"]
    wrong = [event for event in events if event.level in ("WARNING", "ERROR")]
    last = _last_own_line(events)
    stops = next((why for start, why in LAST_LINES.items() if last.startswith(start)), "")
    found = diagnose(failed[0], examination.presets)
    if stops == "import":
        yield fault("log", WARN, "FM-WORKER-007", line=last)
    elif found is not None and found.code not in (codes.UNFORESEEN, codes.WORKER_DIED):
        yield Finding("log", WARN, found.code, diagnosis=found)
    elif stops == "load":
        yield fault("log", WARN, codes.MEMORY_WHILE_LOADING, error=last, variant="alone")
    elif found is not None and found.code == codes.WORKER_DIED:
        yield fault("log", WARN, found.code, **found.values)
    elif wrong:
        yield fault("log", WARN, "FM-JOB-001", count=len(wrong), line=wrong[-1].text.splitlines()[0])
    else:
        yield ok("log")


def _last_own_line(events: list[Event]) -> str:
    """Return the last line that the worker itself wrote. Lines written after its death have data."""
    own = [event.text.splitlines()[0] for event in events if event.text and not event.data]
    return own[-1] if own else ""
