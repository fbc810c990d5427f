"""Run one attempt of a job, from the claimed row to its final status."""

import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...errors import Cancelled, FanslymotionError, HandBack, ModelError, RenderError, StoreError
from ...fs import commit
from ...messages import Message, as_message, codes, msg
from ...pipeline.hardware.vram import gpu_is_lost, is_driver_failure
from ...pipeline.progress import ProgressCallback
from ...pipeline.request import VideoResult
from ..broker import TASK_MODULE, TASK_NAME
from ..continuation import is_joined, video_before
from ..crash_diagnosis import Death
from ..job_folders import remove_work
from ..log import tag
from ..store import transitions
from ..store.records import read_record
from ..store.rows import VIDEO_NAME, WORK_NAME, photo_of, to_job
from ..store.store import Store
from ..types import Job
from .device_samples import DeviceSampler
from .full_speed import full_speed
from .reporter import LostLease, Reporter
from .stay_awake import stay_awake

log = logging.getLogger(__name__)

Produce = Callable[[Job, ProgressCallback], VideoResult]
"""The pipeline, bound to this worker's settings and cached model."""

EARLIER_GONE = msg(
    "The earlier video that this one continues is gone from the job's folder: this is the new part alone. If you still "
    "have the earlier one, continue it again."
)
DRAFT = "draft-"
"""Prefix of an unfinished video's name in the work folder; the rest is unique."""


VIDEO_PATIENCE = 30.0
"""Seconds to retry the rename of a finished video while a virus scanner holds it open."""
NO_SPACE = "No space left on device"
"""The system's text for ENOSPC, for libraries that pass on no error number."""
STORE_PAUSE = 1.0
"""Seconds between tries to write a final status while the database is locked or its disk is full."""


def process_video_generation(
    store: Store,
    row: Any,
    worker: str,
    produce: Produce,
    on_start: Callable,
    refuses: Callable[[Job], bool] = lambda _: False,
) -> None:
    """Run one attempt of a claimed job and write how it ended. Errors of the job are not raised.

    Args:
        store: the open store.
        row: the claimed job.
        worker: this worker's id.
        produce: the pipeline.
        on_start: receives the attempt's Reporter.
        refuses: called if the model cannot be used here; tells whether the job is left to another worker.
    """
    with store.errors():
        job = to_job(row, store.settings, 0)
    with (
        stay_awake(),
        full_speed(),
        Reporter(store, job.id, worker, job.fraction) as reporter,
        DeviceSampler(store, job.id, worker, lambda: reporter.stage),
    ):
        on_start(reporter)
        log.info("Starting job: %s", job.id, extra=tag("WORKER"))
        log.info("Job func: %s.%s", TASK_MODULE, TASK_NAME, extra=tag("WORKER"))
        end = _attempt(job, produce, reporter, refuses)
    end(store, job, worker)


def make_produce(store: Store, model_cache: Any) -> Produce:
    """Bind the pipeline. Imports torch, so only a worker calls this.

    Args:
        store: the open store.
        model_cache: the cache of loaded models.
    """
    from ...models.find import find_model, find_upscaler
    from ...models.loras import with_loras
    from ...pipeline.produce import produce
    from ...presets import LivePresets

    live: LivePresets | None = None

    def run(job: Job, progress: ProgressCallback) -> VideoResult:
        nonlocal live
        live = live or LivePresets(store.settings)
        work, presets, before = begin_work(job), live.now(fresh=True), video_before(job)
        model, sent = find_model(job.request.model, presets, store.settings), read_record(job.folder)
        alone = before is None and is_joined(job)
        if alone:
            log.warning("%s", EARLIER_GONE)
        result = produce(
            job.request,
            model=with_loras(model, job.request, store.settings, sent.loras if sent else ()),
            upscaler=find_upscaler(job.request.upscaler, presets, store.settings),
            photo=job.photo,
            out=work / f"{DRAFT}{uuid4().hex[:8]}.mp4",
            work=work,
            settings=store.settings,
            presets=presets,
            model_cache=model_cache,
            progress=progress,
            # Videos are published, so the photo's name stays out.
            record={"job": job.id, "name": f"video-{job.id}", **({"joined": True} if before else {})},
            before=before,
            last=job.last_photo,
            killed=transitions.killed_for_memory(store, job.id, job.attempt),
        )
        return replace(result, warnings=(*result.warnings, EARLIER_GONE)) if alone else result

    return run


def begin_work(job: Job) -> Path:
    """Prepare the job's work folder: remove a dead attempt's unfinished files, keep checkpoints.

    Raises:
        RenderError: the folder cannot be used, or a photo of the job is gone.
    """
    work = job.folder / WORK_NAME
    try:
        work.mkdir(parents=True, exist_ok=True)
        for left in [job.folder / VIDEO_NAME, *work.glob(f"*{DRAFT}*")]:
            with suppress(OSError):  # Windows: a dead worker's ffmpeg may hold it open; new names are unique
                left.unlink(missing_ok=True)
    except OSError as e:
        raise RenderError(
            msg(
                "the job's folder {folder} cannot be used: {error}; make it writable",
                folder=job.folder,
                error=e.strerror or e,
            ),
            code=codes.VIDEO_NOT_WRITTEN,
        ) from e
    if not photo_of(job.folder).is_file():
        gone = msg("the job's photo is gone from {folder}; submit the photo again", folder=job.folder)
        raise RenderError(gone, code=codes.BAD_PHOTO)
    if job.last_photo is not None and not job.last_photo.path.is_file():
        gone = msg("the job's last picture is gone from {folder}; submit the photos again", folder=job.folder)
        raise RenderError(gone, code=codes.BAD_PHOTO)
    return work


End = Callable[[Store, Job, str], object]


def _attempt(job: Job, produce: Produce, reporter: Reporter, refuses: Callable[[Job], bool]) -> End:
    """Run the pipeline. Return the function that writes the final status, to be called once the log is written."""
    try:
        log.info("Job %s: %s, attempt %d", job.id, job.name, job.attempt, extra=tag("START"))
        told = job.request.to_json() | {"loras": ", ".join(map(str, job.request.loras)) or None}
        shown = ", ".join(f"{key} {value}" for key, value in told.items() if value is not None)
        log.debug("Metadata loaded: %s%s", shown, "" if job.last_photo is None else ", a last picture")
        result = produce(job, reporter.progress)
        log.info("Finished: %d×%d, %d frames at %d fps", result.width, result.height, result.frames, result.fps)
        return lambda store, job, worker: _finish(store, job, worker, result)
    except LostLease:
        log.warning("This job is another worker's by now, or gone from the list; this one stops")
        return lambda *_: None
    except Cancelled:
        log.info("Cancelled")
        return _cancelled
    except HandBack:
        log.info("The worker stops; the job goes back to the queue and will go on where it was")
        return _hand_back
    except FanslymotionError as e:
        if isinstance(e, ModelError) and refuses(job):
            log.warning("The model cannot be used here: %s. The job is left to another worker", e)
            return _hand_back
        error, tried = as_message(e.message, codes.UNFORESEEN), _changes_tried(e)
        log.error("%s: %s", error.code, error)
    except Exception as e:
        if gpu_is_lost():
            log.exception(
                "%s: The graphics card stopped answering; a new worker goes on with this job", codes.CARD_LOST
            )
            return _mark_lost
        error, tried = explain(e, job), _changes_tried(e)
        log.exception("%s: %s", error.code, error)
    return lambda store, job, worker: _retry_store(
        lambda: transitions.fail(store, job.id, worker, error, time.time(), tried)
    )


def _hand_back(store: Store, job: Job, worker: str) -> None:
    """Return the job to the queue: the worker was asked to stop."""
    _retry_store(lambda: transitions.hand_back(store, job.id, worker, time.time()))


def _mark_lost(store: Store, job: Job, worker: str) -> None:
    """Start another attempt after the GPU was lost, up to the limit of a worker's deaths."""

    def write() -> bool:
        with store.errors():
            row = store.tables.Job.get_or_none(store.tables.Job.id == job.id)
        if row is not None and row.worker == worker:
            transitions.mark_lost(store, row, "", time.time(), Death(codes.CARD_LOST))
        return True

    _retry_store(write)


def _changes_tried(error: Exception) -> tuple[str, ...]:
    """Return messages about the plan changes before the pipeline failed."""
    return tuple(getattr(error, "__notes__", ()))


def explain(error: Exception, job: Job) -> Message:
    """Convert an unexpected error into a coded message for the job's owner. The traceback is in the log."""
    if getattr(error, "errno", None) == errno.ENOSPC or NO_SPACE in str(error):
        return msg(
            "the disk of {folder} is full; free some space and retry the job, it goes on from its checkpoint",
            folder=job.folder,
        ).coded(codes.DISK_FULL)
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return as_message(words, codes.DRIVER_FAILED if is_driver_failure(error) else codes.UNFORESEEN)


def _finish(store: Store, job: Job, worker: str, result: VideoResult) -> None:
    """Rename the finished file in the transaction that writes `done`, so that both appear together."""
    video = job.folder / VIDEO_NAME

    def write() -> bool:
        with store.write():
            if not transitions.finish(store, job.id, worker, result, time.time()):
                return transitions.is_done_by(store, job.id, worker)  # by an earlier try whose answer was lost
            if result.path.exists() or not video.exists():  # an earlier try may have renamed it without committing
                commit(result.path, video, VIDEO_PATIENCE)
        return True

    try:
        won = _retry_store(write)
    except OSError as e:
        error = msg(
            "the finished video cannot be put into {folder}: {error}; check that folder and retry",
            folder=job.folder,
            error=e.strerror or e,
        ).coded(codes.VIDEO_NOT_WRITTEN)
        log.error("%s", error)
        _retry_store(lambda: transitions.fail(store, job.id, worker, error, time.time()))
        return
    if won:
        remove_work(job.folder)
    else:
        _remove(result.path)
        _cancelled(store, job, worker)


def _cancelled(store: Store, job: Job, worker: str) -> None:
    """Set the job to cancelled and remove its files. Nothing is removed if the job is no longer this worker's."""
    if _retry_store(lambda: transitions.end_cancelled(store, job.id, worker, time.time())):
        remove_work(job.folder)
        _remove(job.folder / VIDEO_NAME)


def _remove(video: Path) -> None:
    """Remove a video that is not wanted. One that is held open (Windows) goes with `collect_garbage`."""
    with suppress(OSError):
        video.unlink(missing_ok=True)


def _retry_store(write: Callable[[], bool]) -> bool:
    """Write a status, and retry while the database is locked or its disk is full: the work must not be lost."""
    while True:
        try:
            return write()
        except StoreError as e:  # a damaged list is replaced at once; in the new one the job waits without a worker
            log.warning("%s", e)
            time.sleep(STORE_PAUSE)
