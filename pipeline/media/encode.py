"""Encode frames as an H.264 mp4 through a pipe to ffmpeg: scaled, tagged, marked as AI-generated; whole or absent."""

import errno
import logging
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ...errors import RenderError
from ...fs import commit, part_path
from ...messages import codes, msg
from .ffmpeg import EncodingProcess, disk_full
from .mp4 import mark_ai_generated, settings_comment

log = logging.getLogger(__name__)

CRF = 15
PRESET = "veryfast"
"""x264: as close to the frames as `medium` at 17 (bench/RESULTS.md, "The encoder"'s preset), in half of its time."""

COLOUR_TAGS = "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
"""Set on the frames: since ffmpeg 8 the encoder takes them from there and ignores its options `-color_primaries`, …"""

KEYFRAME_SECONDS = 2
"""So that dragging the player's slider lands where the finger is."""


class VideoEncoder:
    """Context manager that writes `path` if the block succeeds, and leaves nothing otherwise.

    Args:
        path: The mp4; an older file is replaced at the end, by one rename.
        width: Pixels, even.
        height: Pixels, even.
        fps: Frames per second, may be fractional.
        source_size: (width, height) of the frames given to `write`, which ffmpeg scales (Lanczos); None = the output
            size.
        metadata: Settings (JSON), stored in the file's comment and read back by `mp4.read_metadata`.

    Attributes:
        frames: Number of frames handed over.

    Raises:
        RenderError: The file cannot be written; contains ffmpeg's message.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        fps: float,
        source_size: tuple[int, int] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        if width % 2 or height % 2 or min(width, height) < 2:
            raise ValueError(f"video size is {width}x{height}; yuv420p needs even sides")
        if fps <= 0:
            raise ValueError(f"fps is {fps}; it must be above 0")
        self.path = Path(path).absolute()
        self.size = (width, height)
        self.fps = fps
        self.source_size = source_size or self.size
        self.metadata = metadata or {}
        self.frames = 0
        self._part = part_path(self.path)
        self._ffmpeg: EncodingProcess | None = None

    def __enter__(self) -> "VideoEncoder":
        try:
            self._part.touch(exist_ok=False)  # a folder that cannot be written is better told in our words
        except OSError as e:
            raise cannot_write(self.path, e) from e
        try:
            self._ffmpeg = EncodingProcess(self._arguments(), self.path.parent)
        except BaseException:
            with suppress(OSError):  # Windows, held open: the cause of the end must not be hidden by it
                self._part.unlink(missing_ok=True)
            raise
        return self

    def _arguments(self) -> list[str]:
        width, height = self.size
        source_width, source_height = self.source_size
        scaling = f"scale={width}:{height}:flags=lanczos+accurate_rnd:out_color_matrix=bt709:out_range=tv"
        group = max(1, round(self.fps * KEYFRAME_SECONDS))
        return [
            *("-hide_banner", "-nostats", "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{source_width}x{source_height}"),
            *("-framerate", f"{self.fps:g}", "-i", "pipe:0"),
            *("-vf", f"{scaling},format=yuv420p,setparams={COLOUR_TAGS}"),
            # One thread: with more of them, in a busy machine one of twenty files had other pictures than the rest.
            *("-c:v", "libx264", "-threads", "1", "-preset", PRESET, "-crf", str(CRF), "-g", str(group)),
            *("-movflags", "+faststart", "-metadata", f"comment={settings_comment(self.metadata)}"),
            *("-f", "mp4", str(self._part)),
        ]

    def write(self, frame: np.ndarray) -> None:
        """Hand over one RGB frame, uint8 (height, width, 3) of `source_size`. Blocks while ffmpeg is busy."""
        width, height = self.source_size
        if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frame is {frame.dtype} {frame.shape}; it must be uint8 {(height, width, 3)}")
        if self._ffmpeg is None:
            raise ValueError("write() outside of the encoder's with block")
        self._ffmpeg.write(np.ascontiguousarray(frame).data.cast("B"))
        self.frames += 1

    @property
    def encoded(self) -> int:
        """Number of frames that ffmpeg has encoded so far."""
        return 0 if self._ffmpeg is None else self._ffmpeg.encoded

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if kind is not None:
                return
            if not self.frames:
                raise RenderError(msg("no frame reached the encoder; nothing was written"), code=codes.NO_ENCODER)
            assert self._ffmpeg
            self._ffmpeg.finish()
            mark_ai_generated(self._part)
            commit(self._part, self.path)
        except OSError as e:
            raise cannot_write(self.path, e) from e
        finally:
            if self._ffmpeg is not None:
                self._ffmpeg.end()
            with suppress(OSError):  # Windows, held open: the cause of the end must not be hidden by it
                self._part.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> RenderError:
    """Return the error for a file that cannot be written."""
    if error.errno == errno.ENOSPC:
        return RenderError(disk_full(path.parent), code=codes.DISK_FULL)
    if isinstance(error, FileNotFoundError):
        sentence = msg("there is no folder {folder}; make it or choose another one", folder=path.parent)
    elif isinstance(error, PermissionError) and path.exists() and sys.platform == "win32":
        sentence = msg("{file} is open in another program (a player?); close it there and retry", file=path)
    else:
        reason = error.strerror or error
        sentence = msg("{file} cannot be written: {error}; choose another folder", file=path, error=reason)
    return RenderError(sentence, code=codes.VIDEO_NOT_WRITTEN)
