"""The `fanslymotion` command. Exit codes: 0 done, 1 failed, 2 bad input, 130 cancelled."""

import errno
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.text import Text

from .. import __version__
from ..doctor.command import doctor_command
from ..errors import BadInput, FanslymotionError, ModelError, NotFound
from ..fs import private_files
from ..messages import msg
from ..models.commands import models_app
from ..models.download.proxies import repair_proxies
from ..presets.options import NUMBERS, OPTIONS
from ..settings import SHOWN, Settings
from .console import (
    BAD_INPUT,
    DONE,
    FAILED,
    POLL_SECONDS,
    err,
    event_lines,
    job_details,
    jobs_table,
    out,
    print_json,
    show_error,
    show_notice,
)
from .text_streams import utf8_streams

if TYPE_CHECKING:
    from ..queue.jobs import Jobs
    from ..queue.types import Job

RESTART_SECONDS = 120.0  # a worker hands its job back within a step; the slowest steps take about a minute

MOST_LISTED = 1_000_000

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One photo in, one short video out, on your own machine.",
)  # fmt: skip
jobs_app = typer.Typer(no_args_is_help=True, help="See and steer the jobs.")
app.add_typer(jobs_app, name="jobs")
app.add_typer(models_app, name="models")
app.command("doctor")(doctor_command)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or its first characters.")]
JobIds = Annotated[list[str], typer.Argument(metavar="ID", help="Jobs' ids, or their first characters.")]


def main() -> None:
    """Errors meant for people become a sentence on stderr and an exit code, never a traceback."""
    utf8_streams()
    repair_proxies()
    try:
        with private_files():
            app(prog_name="fanslymotion")
    except FanslymotionError as e:
        fail(e)
    except OSError as e:  # a full disk behind `> file`, a device that is gone
        if isinstance(e, FileNotFoundError) and not folder_is_here():
            fail(BadInput(msg("the folder that this command runs in is gone; change to another one (cd)")))
        discard_output()
        if not _reader_is_gone(e):
            with suppress(OSError):
                show_error(
                    f"{e.filename or 'the output'} cannot be used: {e.strerror or e}; check it and its disk's space"
                )
        sys.exit(FAILED)


def folder_is_here() -> bool:
    """Whether the folder that the command was started in still exists."""
    try:
        return os.path.isdir(os.getcwd())
    except OSError:
        return False


def _reader_is_gone(error: OSError) -> bool:
    """As in `fanslymotion jobs list | head`. Windows says "invalid argument" there."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def discard_output() -> None:
    """What is still to be written goes nowhere: Python's end would try it once more, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:  # closed from the beginning
            continue
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def fail(error: FanslymotionError) -> NoReturn:
    show_error(error)
    sys.exit(BAD_INPUT if isinstance(error, BadInput) else FAILED)


def open_jobs() -> tuple["Jobs", Settings]:
    from ..queue.jobs import Jobs

    settings = Settings.from_env()
    jobs = Jobs(settings)
    show_notice(jobs.notice)
    return jobs, settings


def find_job(jobs: "Jobs", text: str) -> "Job":
    """By id or by the beginning of one."""
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


def release_models() -> None:
    """Ask the workers to let their model go, for `models remove`."""
    jobs, _ = open_jobs()
    jobs.release_models()


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    context.obj = release_models
    if version:
        print(f"fanslymotion {__version__}")
        raise typer.Exit


@app.command()
def generate(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos; each becomes a video.")],
    resolution: Annotated[
        str, typer.Option("--resolution", "-r", help=f"{OPTIONS['resolution'].help} 480p, 720p, 1080p")
    ] = "480p",
    seconds: Annotated[int, typer.Option("--seconds", "-s", help=f"{OPTIONS['seconds'].help} 6 or 12")] = 6,
    quality: Annotated[
        str, typer.Option("--quality", "-q", help=f"{OPTIONS['quality'].help} standard (12 fps), smooth (24 fps)")
    ] = "standard",
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help=f"{OPTIONS['model'].help} A name, or a folder.",
            show_default="a real model if here, else mini",
        ),
    ] = "",
    seed: Annotated[int | None, typer.Option(help=OPTIONS["seed"].help, show_default="random")] = None,
    motion_bucket_id: Annotated[
        int | None, typer.Option("--motion-bucket-id", "--motion", help=NUMBERS["motion_bucket_id"].described)
    ] = None,
    steps: Annotated[int | None, typer.Option(help=NUMBERS["steps"].described)] = None,
    noise_aug_strength: Annotated[
        float | None, typer.Option("--noise-aug-strength", "--noise", help=NUMBERS["noise_aug_strength"].described)
    ] = None,
    fps: Annotated[int | None, typer.Option(help=NUMBERS["fps"].described)] = None,
    fit: Annotated[
        str,
        typer.Option(help=f"{OPTIONS['fit'].help} crop (fill the frame) or pad (keep the whole photo)"),
    ] = "crop",
    detail: Annotated[
        bool,
        typer.Option("--detail/--no-detail", help=OPTIONS["detail"].help),
    ] = True,
    upscaler: Annotated[
        str | None,
        typer.Option(
            "--upscaler",
            help=f"{OPTIONS['upscaler'].help} A name: models list.",
            show_default="none: plain enlargement",
        ),
    ] = None,
    out_path: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The video's file, or a folder.", show_default="the current folder"),
    ] = None,
    as_json: AsJson = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job, or only hand it in.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the job's log.")] = False,
) -> None:
    """Make a video from each photo, and follow it until it is there."""
    from ..presets import load_presets
    from ..queue.jobs import Jobs
    from .deliver import choose_targets
    from .generate import follow, make_request, report_forecast, report_licence, report_waiting, submit

    try:
        settings = Settings.from_env()
        presets = load_presets(settings)
        request = make_request(
            presets, settings, resolution=resolution, seconds=seconds, quality=quality, model=model, seed=seed, fit=fit,
            motion_bucket_id=motion_bucket_id, steps=steps, noise_aug_strength=noise_aug_strength, fps=fps,
            detail=detail, upscaler=upscaler,
        )  # fmt: skip
        targets = choose_targets(photos, out_path, f"{resolution}-{seconds}s")
        jobs = Jobs(settings)
        show_notice(jobs.notice)
        submitted, refused = submit(jobs, photos, targets, request)
    except (BadInput, ModelError) as e:  # a model that is not there is as much bad input as a wrong name
        if as_json:
            print_json({"status": "rejected", "error": str(e)})
        fail(BadInput(e.message))
    for reason in refused:
        show_error(reason)
    if wait:
        report_licence(presets, request.model)
        report_forecast(submitted[0][0], jobs, presets)
        code = follow(jobs, settings, submitted, as_json, verbose)
    else:
        code = report_waiting(submitted, as_json)
    raise typer.Exit(code or (BAD_INPUT if refused else DONE))


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="Address; 0.0.0.0 lets other computers in, with a login.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port.", show_default="the first free one from 7860", min=1, max=65535)
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Also make a public link for up to a week, with a login.")
    ] = False,
    auth: Annotated[
        list[str] | None,
        typer.Option(
            metavar="USER[:PASSWORD]", help="Ask for this login, may be repeated; others see a password (ps)."
        ),
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask for the logins in this file, one user:password a line.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    worker: Annotated[bool, typer.Option(help="Keep a worker running beside the page.")] = True,
) -> None:
    """Start the page and a worker."""
    from ..ui.auth.given_logins import given_logins
    from ..ui.serve import serve

    logins = given_logins(auth or [], auth_file)
    serve(Settings.from_env(), host, port, share, logins, open_browser=browser, with_worker=worker)


@app.command()
def worker(
    supervised: Annotated[bool, typer.Option(help="Start it again when it dies.")] = True,
) -> None:
    """Run a worker in this window, without the page."""
    if not supervised:
        from ..queue.worker.main import main as run_worker

        sys.argv = ["fanslymotion worker"]
        run_worker()
        return
    from ..queue.liveness.supervisor import Supervisor

    jobs, settings = open_jobs()
    if any(other.alive and other.host == socket.gethostname() for other in jobs.workers()):
        err().print("Another program keeps a worker for this data folder; this one takes over when it ends.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Supervisor(settings, echo=lambda line: print(line, flush=True)):
        try:
            while True:  # a wait without an end cannot be interrupted on Windows
                time.sleep(0.5)
        except KeyboardInterrupt:
            err().print("Ending: the worker stops after its step; its job goes on at the next start.")


@app.command("restart-worker")
def restart_worker() -> None:
    """Restart the worker; the running job goes on from its checkpoint."""
    jobs, _ = open_jobs()
    before = {worker.id for worker in jobs.workers() if worker.alive}
    if not jobs.restart_worker():
        raise FanslymotionError(msg("no worker is running; 'fanslymotion ui' and 'fanslymotion worker' start one"))
    err().print("Asked the worker to restart; it hands its job back at the next step …")
    deadline = time.monotonic() + RESTART_SECONDS
    while time.monotonic() < deadline:
        for worker in jobs.workers():
            if worker.id not in before and worker.alive and worker.state in ("idle", "running"):
                out().print(f"The worker runs again (process {worker.pid}).")
                return
        time.sleep(POLL_SECONDS)
    raise FanslymotionError(
        msg(
            "no new worker is ready after {seconds:.0f} s; does something keep it running? 'fanslymotion "
            "worker' starts one, and shows what goes wrong",
            seconds=RESTART_SECONDS,
        )
    )


@jobs_app.command("list")
def jobs_list(
    status: Annotated[list[str] | None, typer.Option(help="queued, running, done, failed, cancelled")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs."""
    from ..queue.types import Status
    from .generate import job_data

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
    """Show one job: how it stands, its settings, and what went wrong."""
    from ..doctor.command import system_language
    from ..doctor.diagnosis import diagnose
    from ..messages import texts
    from ..presets import load_presets
    from .generate import job_data

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
    if job.status == "queued" and not any(worker.alive for worker in jobs.workers()):
        err().print("No worker is running; 'fanslymotion worker' starts one.", style="yellow")
        for crashed in (worker for worker in jobs.workers() if worker.state == "crashed"):
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
    """Cancel waiting or running jobs."""
    jobs, _ = open_jobs()
    for found in [find_job(jobs, text) for text in job_ids]:
        job = jobs.cancel(found.id)
        how = "cancelling" if job.cancelling else str(job.status)
        out().print(Text(f"{job.id}  {job.name}: {how}"))


@jobs_app.command("retry")
def jobs_retry(job_ids: JobIds) -> None:
    """Make a failed or cancelled job again, with the same settings and seed."""
    jobs, _ = open_jobs()
    for found in [find_job(jobs, text) for text in job_ids]:
        job = jobs.retry(found.id)
        out().print(Text(f"{job.id}  {job.name}: waiting, place {job.place}"))


@jobs_app.command("save")
def jobs_save(
    job_id: JobId,
    out_path: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The video's file, or a folder.", show_default="the current folder"),
    ] = None,
) -> None:
    """Copy a finished job's video to a place of your own."""
    from .deliver import choose_targets, deliver

    jobs, _ = open_jobs()
    job = find_job(jobs, job_id)
    (target,) = choose_targets([Path(job.name)], out_path, f"{job.request.resolution}-{job.request.seconds}s")
    out().print(Text(str(deliver(job, target))), soft_wrap=True)


@jobs_app.command("delete")
def jobs_delete(job_ids: JobIds) -> None:
    """Delete ended jobs with their files."""
    jobs, _ = open_jobs()
    for job in [find_job(jobs, text) for text in job_ids]:
        jobs.delete(job.id)
        out().print(Text(f"{job.id}  {job.name}: deleted"))


@jobs_app.command("move")
def jobs_move(job_id: JobId, place: Annotated[int, typer.Argument(min=1, max=MOST_LISTED, help="1 is next.")]) -> None:
    """Move a waiting job to another place in the line."""
    jobs, _ = open_jobs()
    found = find_job(jobs, job_id)
    jobs.move(found.id, place)
    out().print(Text(f"{found.id}  {found.name}: place {jobs.get(found.id).place}"))


@jobs_app.command("seen")
def jobs_seen() -> None:
    """Put the note about a damaged job list away, here and on the page."""
    jobs, _ = open_jobs()
    jobs.store.put_notice_away()


@jobs_app.command("pause")
def jobs_pause() -> None:
    """Let no further job begin; the running one goes on."""
    jobs, _ = open_jobs()
    jobs.pause()
    out().print("The queue is paused.")


@jobs_app.command("resume")
def jobs_resume() -> None:
    """Let jobs begin again."""
    jobs, _ = open_jobs()
    jobs.resume()
    out().print("The queue goes on.")
