"""Check that ffmpeg can write and read a video."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...errors import FanslymotionError
from ...messages import codes
from ...pipeline.media.ffmpeg import CREATION_FLAGS, ffmpeg_path
from ..examination import Examination
from ..finding import BROKEN, Finding, fault, ok


def check_ffmpeg(_: Examination) -> Iterator[Finding]:
    """Check that ffmpeg works."""
    try:
        yield ok("ffmpeg", version=try_ffmpeg())
    except (FanslymotionError, OSError, subprocess.SubprocessError) as e:
        yield fault("ffmpeg", BROKEN, codes.NO_ENCODER, error=str(e))


def try_ffmpeg() -> str:
    """Write and read 0.2 seconds of video.

    Returns:
        ffmpeg's version, "?" if unknown.

    Raises:
        FanslymotionError: there is no ffmpeg.
        OSError: it cannot be started.
        subprocess.SubprocessError: it failed, or took more than a minute.
    """
    program = ffmpeg_path()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        clip = Path(folder) / "clip.mp4"
        make = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=0.2", "-c:v", "libx264", "-y", str(clip)]
        for words in (make, ["-i", str(clip), "-f", "null", "-"]):
            command = [program, "-v", "error", *words]
            subprocess.run(command, check=True, capture_output=True, timeout=60, creationflags=CREATION_FLAGS)
    said = subprocess.run(
        [program, "-version"], capture_output=True, encoding="utf-8", errors="replace", timeout=30
    ).stdout
    return said.split()[2] if said.startswith("ffmpeg version") else "?"
