"""Go on from a finished video: its last frame, and the video that a job's own is joined to."""

import io
from pathlib import Path

from ..errors import BadInput, RenderError
from ..messages import msg
from ..pipeline.media.frame import read_last_frame
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
