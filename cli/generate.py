"""Implement `fanslymotion generate`: submit photos, follow the jobs, deliver the videos."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from rich.text import Text

from ..console import err, out, print_json, print_path, system_language
from ..doctor.diagnosis import big_values
from ..errors import BadInput, NotFound
from ..messages import msg, texts
from ..models.find import default_model, find_model
from ..pipeline.families.forecast import forecast, forecast_text, with_worker_start
from ..pipeline.families.motions import settle_motion
from ..pipeline.request import MAX_SEED, VideoRequest
from ..presets import Presets
from ..presets.loras import LoraChoice, parse_lora
from ..queue.store.rows import photo_of
from ..queue.submit import Picture
from ..queue.suitability import plan_for_workers
from ..queue.types import Job, Status
from ..queue.worker.loaded_note import loaded
from ..settings import Settings, own_path
from .deliver import NotDelivered, Target, deliver
from .exits import CANCELLED, DONE, FAILED, show_error
from .follower import Follower
from .job_text import job_data, time_text, titled

if TYPE_CHECKING:
    from ..queue.jobs import Jobs


def make_request(presets: Presets, settings: Settings, **wanted: Any) -> VideoRequest:
    """Create a request from the options; draw a seed and choose a model if none is given.

    A model's path is made absolute, because the worker runs in another folder.

    Args:
        presets: All presets.
        settings: The models' folder.
        **wanted: The fields of `VideoRequest`; `idea`: name of a ready prompt, "" for none; `motion`: see
            `settle_motion`.

    Raises:
        BadInput: A choice is out of its range, or not among the presets.
    """
    if idea := wanted.pop("idea"):
        wanted["prompt"] = " ".join(filter(None, (presets.idea(idea).prompt, wanted["prompt"].strip())))
    if wanted["seed"] is None:
        wanted["seed"] = secrets.randbelow(MAX_SEED + 1)
    wanted["model"] = wanted["model"] or default_model(presets, settings)
    if wanted["model"] not in presets.models and os.path.isdir(folder := own_path(wanted["model"], "--model")):
        wanted["model"] = str(folder)
    if motion := wanted.pop("motion"):
        preset = find_model(wanted["model"], presets, settings).preset
        wanted["motion_bucket_id"] = settle_motion(motion, wanted["motion_bucket_id"], preset)
    return VideoRequest(**wanted)


def chosen_loras(typed: Sequence[str], strength: float | None) -> tuple[LoraChoice, ...]:
    """Parse the requested LoRAs.

    Args:
        typed: `NAME` or `NAME:STRENGTH`.
        strength: Strength of the only LoRA, if it has none of its own.

    Raises:
        BadInput: A strength is given, but it is ambiguous for which LoRA.
    """
    loras = tuple(map(parse_lora, typed))
    if strength is None:
        return loras
    if len(loras) != 1 or loras[0].strength is not None:
        raise BadInput(
            msg("--lora-strength is for one --lora without a strength of its own; write --lora NAME:STRENGTH")
        )
    return (LoraChoice(loras[0].name, strength),)


def submit(
    jobs: "Jobs",
    photos: list[Path],
    targets: list[Target],
    request: VideoRequest,
    takes: int = 1,
    last: Path | None = None,
) -> tuple[list[tuple[Job, Target]], list[BadInput]]:
    """Submit `takes` jobs for each photo. One bad photo does not stop the others.

    Args:
        jobs: The queue.
        photos: Files.
        targets: Destination of each video: `takes` of the first photo, of the second, ….
        request: The settings of all of them.
        takes: Videos of each photo, each with its own seed.
        last: Picture that each video ends with.

    Returns:
        The jobs with their destinations, and why other photos were refused.

    Raises:
        BadInput: All photos were refused.
    """
    submitted, refused = [], []
    end: Picture | None = None if last is None else (last, last.name)
    for n, photo in enumerate(photos):
        try:
            made = jobs.submit_all([(photo, photo.name)], request, takes=takes, last=end)
        except BadInput as e:
            refused.append(e)
        else:
            submitted += zip(made, targets[n * takes :], strict=False)
            if made[0].last_photo is not None:
                end = made[0].last_photo, made[0].last_name  # read once
    if not submitted:
        if len({str(one) for one in refused}) == 1:
            raise refused[0]
        raise BadInput("\n".join(map(str, refused)))
    return submitted, refused


def report_waiting(submitted: list[tuple[Job, Target]], as_json: bool) -> int:
    """Print the submitted jobs that are not followed (--no-wait). Return the exit code."""
    for job, _ in submitted:
        if as_json:
            print_json(job_data(job))
        else:
            out().print(Text(f"{titled(job)}: waiting, place {job.place}"))
            report_notes(job)
    if not as_json:
        err().print("A worker makes them: 'fanslymotion ui' and 'fanslymotion worker' start one.", style="dim")
    return DONE


def report_notes(job: Job) -> None:
    """Print a job's warnings."""
    for note in job.warnings:
        err().print(Text(f"Note: {note}", style="yellow"), soft_wrap=True)


def report_licence(presets: Presets, model: str) -> None:
    """Print the notice that a model's licence requires, if any ("Powered by …")."""
    licence = presets.models[model].licence if model in presets.models else None
    if licence is not None and licence.powered_by:
        err().print(f"{licence.powered_by} ({licence.name}, {licence.url})", style="dim")


def report_forecast(job: Job, jobs: "Jobs", presets: Presets) -> None:
    """Print the forecast time and memory of a job's video, and a warning if that is much for this machine."""
    workers = jobs.workers()
    with Image.open(photo_of(job.folder)) as photo:
        size = photo.size
    plan = plan_for_workers(
        workers,
        job.request,
        size,
        jobs.settings,
        presets,
        loaded=loaded(jobs.store, workers),
        ends=job.last_photo is not None,
    )
    alive = any(worker.alive for worker in workers)
    expected = forecast(plan) if alive else with_worker_start(forecast(plan))
    err().print(f"Expected: {forecast_text(expected)}", style="dim")
    if plan.shrunk or not expected.fits:
        said = texts.fault("FM-MEM-004", big_values(plan), system_language())
        err().print(Text(f"Note: {said.cause} {said.fix} (FM-MEM-004)", style="yellow"), soft_wrap=True)


def follow(jobs: "Jobs", settings: Settings, submitted: list[tuple[Job, Target]], as_json: bool, verbose: bool) -> int:
    """Follow the jobs to their ends and deliver their videos.

    Args:
        jobs: The queue.
        settings: For a worker that must be started.
        submitted: The jobs with their destinations.
        as_json: Print a line of JSON for each job instead of sentences.
        verbose: Show the jobs' logs.

    Returns:
        The exit code of the job that ended worst.
    """
    code = DONE
    with Follower(jobs, settings, err(), verbose) as follower:
        for n, (job, target) in enumerate(submitted):
            try:
                ended = follower.wait(job.id)
                if follower.interrupts:  # Ctrl+C means the whole batch
                    for later, _ in submitted[n + 1 :]:
                        jobs.cancel(later.id)
            except KeyboardInterrupt:
                err().print(f"No longer watching; 'fanslymotion jobs show {job.id}' tells how it stands.")
                return CANCELLED
            except NotFound as e:  # deleted in the browser meanwhile: the others are still wanted
                show_error(e)
                code = max(code, FAILED)
                continue
            code = max(code, _report_end(ended, target, as_json))
    return code


def _report_end(job: Job, target: Target, as_json: bool) -> int:
    code, video = {"done": DONE, "cancelled": CANCELLED}.get(job.status, FAILED), None
    if code == DONE and job.video is not None:
        try:
            video = deliver(job, target)
        except NotDelivered as e:
            show_error(e)
            if as_json:
                print_json(job_data(job) | {"video": None, "undelivered": str(job.video), "error": str(e)})
            return FAILED
    if as_json:
        print_json(job_data(job) | {"video": video and str(video)})
        return code
    report_notes(job)
    if video is not None:
        took = time_text((job.finished or 0) - (job.started or 0))
        facts = f"{job.width}×{job.height}, {job.frames} frames at {job.fps} fps, seed {job.request.seed}, in {took}"
        print_path(video)
        err().print(Text(f"Done: {facts}"), soft_wrap=True)
    elif code == CANCELLED:
        err().print("Cancelled.")
    elif job.status is Status.FAILED:
        err().print(Text.assemble(("Failed: ", "bold red"), job.error), soft_wrap=True)
        err().print(f"Its log: fanslymotion jobs logs {job.id}    Again: fanslymotion jobs retry {job.id}", style="dim")
    return code
