"""The commands `fanslymotion jobs …`: list, show and steer jobs."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.text import Text

from ..console import err, out, print_json, print_path, system_language
from ..errors import BadInput
from ..messages import msg
from ..pipeline.media.exports.formats import FORMATS, Export
from ..pipeline.request import MOST_TAKES
from ..queue.types import Status, WorkerState
from .arguments import AsJson, JobId, JobIds, find_job, open_jobs
from .exits import BAD_INPUT, CANCELLED, DONE, show_error
from .follower import POLL_SECONDS
from .job_text import event_lines, job_data, job_details, jobs_table, titled

MOST_LISTED = 1_000_000

jobs_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, show and control jobs.")


@jobs_app.command("list")
def jobs_list(
    status: Annotated[list[str] | None, typer.Option(help="queued, running, done, failed, cancelled")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs."""
    jobs, _ = open_jobs()
    known = [str(s) for s in Status]
    if unknown := [s for s in status or [] if s not in known]:
        raise BadInput(msg("status is {status!r}; choose from {known}", status=unknown[0], known=", ".join(known)))
    found = jobs.list(statuses=[Status(s) for s in status] if status else None, limit=limit)
    if as_json:
        print_json([job_data(job) for job in found])
    elif found:
        out().print(jobs_table(found))
    else:
        err().print("There are no jobs yet." if not status else "There are no such jobs.")
    if jobs.paused and not as_json:
        err().print("The queue is paused; 'fanslymotion jobs resume' lets it go on.", style="yellow")


@jobs_app.command("show")
def jobs_show(
    job_id: JobId,
    as_json: AsJson = False,
    language: Annotated[str, typer.Option(help="en or ru, of what went wrong.", show_default="the system's")] = "",
) -> None:
    """Show a job: status, settings, what went wrong."""
    from ..doctor.diagnosis import diagnose
    from ..messages import texts
    from ..presets import load_presets

    jobs, settings = open_jobs()
    job = find_job(jobs, job_id)
    if as_json:
        print_json(job_data(job))
        return
    found = diagnose(job, load_presets(settings))
    language = language or system_language()
    said = found.say(language) if found else {}
    shown = {texts.say("labels", key, {}, language).lower(): said[key] for key in ("cause", "fix", "code") if said}
    out().print(job_details(job, shown or None))
    if job.waits_for:
        err().print(Text(job.waits_for.say(language), style="yellow"), soft_wrap=True)
    if job.status is Status.QUEUED and not any(worker.alive for worker in jobs.workers()):
        err().print("No worker is running; 'fanslymotion worker' starts one.", style="yellow")
        for crashed in (worker for worker in jobs.workers() if worker.state == WorkerState.CRASHED):
            err().print(Text(f"The last one crashed:\n{crashed.last_output.strip()}"), soft_wrap=True)


@jobs_app.command("logs")
def jobs_logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
) -> None:
    """Print a job's log."""
    jobs, _ = open_jobs()
    job, last = find_job(jobs, job_id), 0
    while True:
        job, events = jobs.snapshot(job.id, last)
        last = max([last, *(event.id for event in events)])
        for line in event_lines(events):
            out().print(line, soft_wrap=True)
        if not follow or (job.status.final and not events):
            return
        if not events:
            time.sleep(POLL_SECONDS)


@jobs_app.command("cancel")
def jobs_cancel(job_ids: JobIds) -> None:
    """Cancel waiting or running jobs. Exit code 2 where one has ended already."""
    jobs, _ = open_jobs()
    ended = 0
    for found in [find_job(jobs, text) for text in job_ids]:
        job = jobs.cancel(found.id)
        if found.status.final:
            ended += 1
            show_error(msg("job {job} has ended already: it is {status}", job=job.id, status=found.status.words))
            continue
        how = "cancelling" if job.cancelling else str(job.status)
        out().print(Text(f"{titled(job)}: {how}"))
    raise typer.Exit(BAD_INPUT if ended else DONE)


@jobs_app.command("retry")
def jobs_retry(job_ids: JobIds) -> None:
    """Make a failed or cancelled job again. Settings and seed stay the same."""
    jobs, _ = open_jobs()
    for found in [find_job(jobs, text) for text in job_ids]:
        job = jobs.retry(found.id)
        out().print(Text(f"{titled(job)}: waiting, place {job.place}"))


@jobs_app.command("again")
def jobs_again(
    job_id: JobId,
    count: Annotated[int, typer.Option(min=1, max=MOST_TAKES, help="How many.")] = 1,
) -> None:
    """Make other takes of a job's video. Photo and settings stay the same, the seeds differ."""
    jobs, _ = open_jobs()
    for job in jobs.again(find_job(jobs, job_id).id, takes=count):
        out().print(Text(f"{titled(job)}: waiting, place {job.place}, seed {job.request.seed}"))


@jobs_app.command("continue")
def jobs_continue(
    job_ids: JobIds,
    joined: Annotated[
        bool, typer.Option("--join/--no-join", help="The new video holds the old one, too, or only what follows it.")
    ] = True,
) -> None:
    """Continue finished videos. The last frame begins the next one, with the same settings and another seed."""
    jobs, _ = open_jobs()
    for found in [find_job(jobs, text) for text in job_ids]:
        job = jobs.go_on_from(found.id, joined=joined)
        out().print(Text(f"{titled(job)}: waiting, place {job.place}, seed {job.request.seed}"))


@jobs_app.command("save")
def jobs_save(
    job_id: JobId,
    out_path: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="The video's file, or a folder (FOLDER/).",
            show_default="the current folder",
        ),
    ] = None,
) -> None:
    """Copy a finished job's video to another place."""
    from .deliver import choose_targets, deliver

    jobs, _ = open_jobs()
    job = find_job(jobs, job_id)
    (target,) = choose_targets([Path(job.name)], out_path, f"{job.request.resolution}-{job.request.seconds}s")
    print_path(deliver(job, target))


@jobs_app.command("export")
def jobs_export(
    job_id: JobId,
    as_format: Annotated[
        str, typer.Option("--as", metavar="FORMAT", help=f"{', '.join(FORMATS)}; web is a small mp4.")
    ],
    ping_pong: Annotated[bool, typer.Option("--ping-pong", help="Forwards and back: it loops evenly.")] = False,
    start: Annotated[int, typer.Option("--from", metavar="FRAME", help="The first frame; 0 is the video's first.")] = 0,
    end: Annotated[
        int | None,
        typer.Option("--to", metavar="FRAME", help="The frame after the last one.", show_default="the end"),
    ] = None,
    frame: Annotated[
        int | None,
        typer.Option(metavar="FRAME", help="The one that a png or jpg shows.", show_default="the middle one"),
    ] = None,
    out_path: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="The file, or a folder (FOLDER/).", show_default="the current folder"
        ),
    ] = None,
) -> None:
    """Save a finished video in another form. An animation, a still frame, a copy for the web, a loop, a part."""
    from ..pipeline.media.exports.make import make_export
    from ..ui.exports.background import clip_of
    from .deliver import choose_targets, deliver_file

    jobs, _ = open_jobs()
    job = find_job(jobs, job_id)
    clip = clip_of(job)
    wanted = Export(as_format, start, end, ping_pong, frame).resolved(clip)
    words = "-".join([f"{job.request.resolution}-{job.request.seconds}s", *filter(None, [wanted.words(clip)])])
    (target,) = choose_targets([Path(job.name)], out_path, words, wanted.kind.suffix)
    try:
        with Progress(*Progress.get_default_columns(), console=err(), transient=True) as bar:
            task = bar.add_task(as_format, total=1.0)
            made = make_export(clip, wanted, lambda share: bar.update(task, completed=share))
    except KeyboardInterrupt:
        err().print("Stopped; nothing was written.")
        raise typer.Exit(CANCELLED) from None
    print_path(deliver_file(made, target))


@jobs_app.command("delete")
def jobs_delete(job_ids: JobIds) -> None:
    """Delete ended jobs with their files."""
    jobs, _ = open_jobs()
    for job in [find_job(jobs, text) for text in job_ids]:
        jobs.delete(job.id)
        out().print(Text(f"{titled(job)}: deleted"))


@jobs_app.command("move")
def jobs_move(job_id: JobId, place: Annotated[int, typer.Argument(min=1, max=MOST_LISTED, help="1 is next.")]) -> None:
    """Move a waiting job to another place in the queue."""
    jobs, _ = open_jobs()
    found = find_job(jobs, job_id)
    jobs.move(found.id, place)
    out().print(Text(f"{titled(found)}: place {jobs.get(found.id).place}"))


@jobs_app.command("seen")
def jobs_seen() -> None:
    """Dismiss the note about a damaged job list. Here and on the page."""
    jobs, _ = open_jobs()
    jobs.store.put_notice_away()


@jobs_app.command("pause")
def jobs_pause() -> None:
    """Pause the queue. The running job goes on."""
    jobs, _ = open_jobs()
    jobs.pause()
    out().print("The queue is paused.")


@jobs_app.command("resume")
def jobs_resume() -> None:
    """Resume the queue."""
    jobs, _ = open_jobs()
    jobs.resume()
    out().print("The queue goes on.")
