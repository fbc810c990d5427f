"""Extract a finished video's middle frame for lists: the photo does not show what became of it."""

from pathlib import Path

from ...errors import RenderError
from ...messages import msg
from ...pipeline.media.frame import read_frame
from ...pipeline.media.photo.load import jpeg_view
from ...queue.store.rows import photo_of
from ...queue.types import Job
from ..uploads.photos import POSTER_SIDE, keep_picture, make_poster

STILL = "still.jpg"
"""Name of the middle frame beside a job's video."""


def make_still(job: Job) -> Path | bytes:
    """Return a JPEG of the video's middle frame, stored beside it; it is deleted with the job's folder.

    If ffmpeg cannot read a video, the JPEG shows the photo. If it cannot be stored, the JPEG itself is returned.

    Raises:
        NotFound: The photo is gone, too.
    """
    video = job.video
    try:
        if video is None or video.is_symlink() or video.parent.is_symlink() or not (job.frames and job.fps):
            raise RenderError(msg("this job has no video"))
        still = video.with_name(STILL)
        if not still.is_file():
            frame = read_frame(video, (job.frames // 2) / job.fps)
            return keep_picture(still, jpeg_view(frame, POSTER_SIDE))
        return still
    except (OSError, RenderError):
        return make_poster(photo_of(job.folder))
