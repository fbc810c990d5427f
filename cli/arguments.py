"""What several commands take: a job's id, --json; and the jobs that they work on."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BadInput, NotFound
from ..messages import msg
from ..settings import SHOWN, Settings
from .console import show_notice

if TYPE_CHECKING:
    from ..queue.jobs import Jobs
    from ..queue.types import Job

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its first characters.")]
JobIds = Annotated[list[str], typer.Argument(metavar="ID", help="Jobs' ids, or their first characters.")]


def open_jobs() -> tuple["Jobs", Settings]:
    """Open the queue and show its notice, if there is one. Imported late: --help needs no queue."""
    from ..queue.jobs import Jobs

    settings = Settings.from_env()
    jobs = Jobs(settings)
    show_notice(jobs.notice)
    return jobs, settings


def find_job(jobs: "Jobs", text: str) -> "Job":
    """Find a job by its id, or by the first characters of one.

    Raises:
        BadInput: No id, or several ids, begin so.
    """
    unknown = BadInput(msg("there is no job {job!r}; 'fanslymotion jobs list' shows them", job=text[:SHOWN]))
    if not (text.isascii() and text.isalnum()):
        raise unknown
    try:
        return jobs.get(text)
    except NotFound:
        found = [job for job in jobs.list(limit=10_000) if job.id.startswith(text)]
    if not found:
        raise unknown
    if len(found) > 1:
        raise BadInput(
            msg("{text!r} begins the ids of {count} jobs; give a few characters more", text=text, count=len(found))
        )
    return found[0]
