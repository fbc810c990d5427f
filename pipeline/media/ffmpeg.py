"""Find ffmpeg, and define how its processes are started."""

import subprocess
import sys

from ...errors import RenderError
from ...messages import codes, msg

REINSTALL = msg("reinstall it: python -m pip install --force-reinstall imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE")

CREATION_FLAGS = 0
if sys.platform == "win32":
    CREATION_FLAGS = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
"""With `start_new_session=True` (POSIX) this keeps the terminal's Ctrl+C from ffmpeg: we end it, or let it finish."""


def ffmpeg_path() -> str:
    """The ffmpeg that comes with imageio-ffmpeg, or the one `IMAGEIO_FFMPEG_EXE` names. Raise RenderError."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except (RuntimeError, OSError) as e:
        raise RenderError(msg("ffmpeg was not found; {reinstall}", reinstall=REINSTALL), code=codes.NO_ENCODER) from e
