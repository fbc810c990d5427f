"""Read a finished video's middle frame, for lists: the photo it began with does not show what became of it."""

import io
import subprocess
from pathlib import Path
from threading import Lock

from PIL import Image

from ..errors import RenderError
from ..fs import write_whole
from ..messages import msg
from ..pipeline.media.ffmpeg import CREATION_FLAGS, ffmpeg_path
from ..pipeline.media.photo.load import jpeg_view
from ..queue.store.rows import photo_of
from ..queue.types import Job
from .uploads.photos import POSTER_SIDE, make_poster

SECONDS = 60.0
"""That ffmpeg may take for one frame, on a busy machine."""

_one_at_a_time = Lock()
"""A gallery asks for two dozen at once, and each is an ffmpeg."""


def make_still(job: Job) -> Path:
    """Return a JPEG of the video's middle frame, beside it; it is made once, and deleted with the job's folder.

    Without a video that ffmpeg can read it is the photo's.

    Raises:
        NotFound: The photo is gone, too.
    """
    video = job.video
    try:
        if video is None or video.is_symlink() or video.parent.is_symlink() or not (job.frames and job.fps):
            raise RenderError(msg("this job has no video"))
        still = video.with_name("still.jpg")
        with _one_at_a_time:
            if not still.is_file():
                write_whole(still, jpeg_view(read_frame(video, (job.frames // 2) / job.fps), POSTER_SIDE))
        return still
    except (OSError, RenderError, subprocess.TimeoutExpired):
        return make_poster(photo_of(job.folder))


def read_frame(video: Path, seconds: float) -> Image.Image:
    """Read the frame that is shown at a time, RGB.

    Raises:
        RenderError: ffmpeg finds none.
    """
    # As RGB: ffmpeg's own JPEG keeps the video's colour matrix, and green comes out lighter.
    command = [
        ffmpeg_path(), "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1", "-ss", f"{seconds:.6f}",
        "-i", str(video), "-map", "0:v:0", "-frames:v", "1", "-pix_fmt", "rgb24", "-c:v", "ppm", "-f",
        "image2pipe", "-",
    ]  # fmt: skip
    run = subprocess.run(
        command,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=SECONDS,
        start_new_session=True,
        creationflags=CREATION_FLAGS,
    )
    if run.returncode or not run.stdout:
        said = run.stderr.decode("utf-8", "replace")[-2000:]
        raise RenderError(
            msg("{video} has no frame at {seconds} s:\n{said}", video=video, seconds=f"{seconds:.2f}", said=said)
        )
    return Image.open(io.BytesIO(run.stdout), formats=("PPM",))
