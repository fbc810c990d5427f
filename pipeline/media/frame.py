"""Read one frame of a video."""

import io
import subprocess
from fractions import Fraction
from pathlib import Path

from PIL import Image

from ...errors import RenderError
from ...messages import msg
from .ffmpeg import CREATION_FLAGS, ffmpeg_path, not_started, too_slow
from .mp4 import read_track

SECONDS = 60.0
"""That ffmpeg may take for one frame, on a busy machine."""


def read_frame(video: Path, seconds: float) -> Image.Image:
    """Read the frame that is shown at a time, RGB.

    Raises:
        RenderError: ffmpeg finds no frame, cannot be started, or exceeds SECONDS.
    """
    program = ffmpeg_path()
    # As RGB: ffmpeg's own JPEG keeps the video's colour matrix, and green comes out lighter.
    command = [
        program, "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "1", "-ss", f"{seconds:.6f}",
        "-i", str(video), "-map", "0:v:0", "-frames:v", "1", "-pix_fmt", "rgb24", "-c:v", "ppm", "-f",
        "image2pipe", "-",
    ]  # fmt: skip
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            start_new_session=True,
            creationflags=CREATION_FLAGS,
        )
    except subprocess.TimeoutExpired as e:
        raise too_slow(SECONDS) from e
    except OSError as e:
        raise not_started(program, e) from e
    if run.returncode or not run.stdout:
        said = run.stderr.decode("utf-8", "replace")[-2000:]
        raise RenderError(
            msg("{video} has no frame at {seconds} s:\n{said}", video=video, seconds=f"{seconds:.2f}", said=said)
        )
    return Image.open(io.BytesIO(run.stdout), formats=("PPM",))


def read_last_frame(video: Path, fps: float) -> Image.Image:
    """Read a video's last frame, RGB.

    Args:
        video: An mp4 of this program.
        fps: Its frames per second.

    Raises:
        BadInput: The mp4 is incomplete.
        RenderError: ffmpeg finds no frame.
    """
    track = read_track(video)
    # From the middle of the frame before on: the first one that begins later is the last.
    return read_frame(video, max(0.0, float(track.seconds or Fraction(track.frames) / Fraction(fps)) - 1.5 / fps))
