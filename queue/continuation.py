"""Go on from an earlier job: its video's last frame, the video that its own is joined to, another seed."""

import io
import secrets
from dataclasses import replace
from pathlib import Path

from ..errors import BadInput, RenderError
from ..messages import msg
from ..pipeline.media.frame import read_last_frame
from ..pipeline.request import MAX_SEED, VideoRequest
from .store.records import read_record
from .store.rows import BEFORE_NAME
from .types import Job


def last_frame(job: Job) -> bytes:
    """Return the last frame of a job's video, as a PNG.

    Raises:
        BadInput: the job has no video, or its video cannot be read.
    """
    if job.video is None:
        raise BadInput(
            msg("job {job} is {status}; only a finished video can be continued", job=job.id, status=job.status.words)
        )
    if not job.video.is_file():
        raise BadInput(msg("the video of job {job} is gone; make it again first", job=job.id))
    try:
        image = read_last_frame(job.video, job.fps)
    except (BadInput, RenderError) as e:
        raise BadInput(
            msg("the video of job {job} cannot be continued: {why}; make it again first", job=job.id, why=e.message)
        ) from e
    found = io.BytesIO()
    image.save(found, "PNG", compress_level=1)
    return found.getvalue()


def video_before(job: Job) -> Path | None:
    """Return the video that a job's own is joined to; None where it stands alone."""
    before = job.folder / BEFORE_NAME
    return before if before.is_file() else None


def is_joined(job: Job) -> bool:
    """Tell whether a job's video is to be joined to an earlier one, which may be gone meanwhile."""
    record = read_record(job.folder)
    return video_before(job) is not None or (record is not None and record.joined)


def with_other_seed(request: VideoRequest) -> VideoRequest:
    """Return the same settings with a seed that is drawn."""
    return replace(request, seed=secrets.randbelow(MAX_SEED + 1))


def check_ended(job: Job) -> None:
    """Raise BadInput unless a job has ended."""
    if not job.status.final:
        raise BadInput(
            msg(
                "job {job} is {status}; only a job that has ended can be tried again",
                job=job.id,
                status=job.status.words,
            )
        )
