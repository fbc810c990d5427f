"""Read a part of a video as raw frames, forwards and backwards, with little memory."""

import subprocess
from collections.abc import Generator

from ....messages import msg
from ..ffmpeg import FfmpegProcess
from .formats import Clip, Export

BACKWARD_BYTES = 64 << 20
"""Of frames that are held at a time to be turned round; ffmpeg's own `reverse` holds the whole video."""


def read_frames(clip: Clip, wanted: Export) -> Generator[bytes]:
    """Yield the frames of a (resolved) export that is no still, each as raw pixels of its format and size."""
    assert wanted.end is not None
    yield from read_forwards(clip, wanted, wanted.start, wanted.end)
    if wanted.ping_pong:
        yield from _read_backwards(clip, wanted, wanted.start + 1, wanted.end - 1)


def read_forwards(clip: Clip, wanted: Export, start: int, end: int) -> Generator[bytes]:
    """Yield the frames from `start` up to, not including, `end`.

    Raises:
        RenderError: ffmpeg cannot read them all.
    """
    if start >= end:
        return
    ffmpeg = FfmpegProcess(_arguments(clip, wanted, start, end - start), stdout=subprocess.PIPE)
    try:
        size = _frame_bytes(wanted, clip)
        for number in range(start, end):
            frame = _read_exactly(ffmpeg, size)
            if len(frame) < size:
                otherwise = msg("{video} has no frame {frame}; is the file whole?", video=clip.path, frame=number)
                raise ffmpeg.failure(clip.path.parent, otherwise)
            yield frame
    finally:
        ffmpeg.end()


def _read_backwards(clip: Clip, wanted: Export, start: int, end: int) -> Generator[bytes]:
    """Yield the frames from `end` - 1 down to `start`."""
    held = max(1, BACKWARD_BYTES // _frame_bytes(wanted, clip))
    for last in range(end, start, -held):
        yield from reversed(list(read_forwards(clip, wanted, max(start, last - held), last)))


def _arguments(clip: Clip, wanted: Export, start: int, count: int) -> list[str]:
    width, height = wanted.size(clip)
    # Half a frame before its time: the next frame is that one, however its time was rounded.
    seek = ["-ss", f"{(start - 0.5) / clip.fps:.6f}"] if start else []
    scaling = "flags=lanczos+accurate_rnd+full_chroma_int"
    if wanted.kind.pixels == "rgb24":
        scaling += ":in_color_matrix=bt709:in_range=tv:out_range=pc"
    return [
        *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-threads", "2"),
        *(*seek, "-i", str(clip.path), "-map", "0:v:0", "-frames:v", str(count), "-fps_mode", "passthrough"),
        *("-vf", f"scale={width}:{height}:{scaling},format={wanted.kind.pixels}"),
        *("-f", "rawvideo", "-pix_fmt", wanted.kind.pixels, "pipe:1"),
    ]


def _frame_bytes(wanted: Export, clip: Clip) -> int:
    width, height = wanted.size(clip)
    return width * height * 3 // (2 if wanted.kind.pixels == "yuv420p" else 1)


def _read_exactly(ffmpeg: FfmpegProcess, size: int) -> bytes:
    """Read so many bytes, fewer only at the end of what ffmpeg writes."""
    assert ffmpeg.process.stdout
    data = bytearray()
    while len(data) < size and (part := ffmpeg.process.stdout.read(size - len(data))):
        data += part
    return bytes(data)


def read_frame(clip: Clip, wanted: Export) -> bytes:
    """Read the frame of a (resolved) still, as RGB."""
    assert wanted.frame is not None
    (found,) = read_forwards(clip, wanted, wanted.frame, wanted.frame + 1)
    return found
