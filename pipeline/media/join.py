"""Join two videos of this program into one file without re-encoding."""

import math
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import BadInput, RenderError
from ...fs import commit, part_path
from ...messages import codes, msg
from .encode import COLOUR_TAGS, CRF, KEYFRAME_SECONDS, PRESET, cannot_write
from .ffmpeg import EncodingProcess
from .mp4 import Track, mark_ai_generated, read_track, settings_comment


def earlier_track(path: Path) -> Track:
    """Read the track of the video that another one is to be joined to.

    Raises:
        RenderError: It is missing or incomplete.
    """
    try:
        return read_track(path)
    except BadInput as e:
        raise RenderError(
            msg(
                "the video that this one continues cannot be read ({why}); continue it again from its finished video",
                why=e.message,
            ),
            code=codes.VIDEO_NOT_WRITTEN,
        ) from e


def join(
    first: Path, second: Path, out: Path, metadata: dict[str, Any], check: Callable[[], object] = lambda: None
) -> None:
    """Write `out`: `first`, then `second`, whole or absent. Both files stay.

    If both were encoded alike, their streams are copied. Else (`first` is of an earlier version, or a preset was
    changed in between) both are encoded again at the size and rate of `second`, and `first` is cropped to its shape.

    Args:
        first: An mp4 of this program.
        second: Likewise.
        out: The joined mp4.
        metadata: As for `VideoEncoder`.
        check: Called while ffmpeg works; ends it by raising.

    Raises:
        RenderError: ffmpeg failed.
    """
    part = part_path(out)
    before, after = earlier_track(first), read_track(second)
    # The times of joined videos are rounded: a tick more or less is no other rate.
    alike = before.decoder == after.decoder and abs(before.fps - after.fps) < after.fps / 100
    try:
        with tempfile.TemporaryDirectory() as place:
            how = _copied(first, second, Path(place)) if alike else _encoded(first, second, after)
            comment = f"comment={settings_comment(metadata)}"
            _run([*how, "-movflags", "+faststart", "-metadata", comment, "-f", "mp4", str(part)], out.parent, check)
        mark_ai_generated(part)
        commit(part, out)
    except OSError as e:
        raise cannot_write(out, e) from e
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def frames_before(first: Track, fps: int) -> int:
    """Return how many frames a prepended video takes at another rate, without the frame that both videos have.

    Args:
        first: The video's track.
        fps: Frames per second of the joined video.
    """
    return (first.frames if not first.seconds else round(first.seconds * fps)) - 1


def _copied(first: Path, second: Path, place: Path) -> list[str]:
    """Return ffmpeg's arguments to copy the streams. place: an empty folder for the list of files."""
    quoted = ("file '{}'\n".format(str(path.absolute()).replace("'", r"'\''")) for path in (first, second))
    (place / "list").write_text("".join(quoted), encoding="utf-8", newline="\n")
    return ["-f", "concat", "-safe", "0", "-i", str(place / "list"), "-map", "0:v:0", "-c", "copy"]


def _encoded(first: Path, second: Path, after: Track) -> list[str]:
    size, rate = f"{after.width}:{after.height}", f"{after.fps.numerator}/{after.fps.denominator}"
    fill = f"scale={size}:force_original_aspect_ratio=increase:flags=lanczos,crop={size},setsar=1"
    graph = f"[0:v]fps={rate},{fill}[a];[1:v]setsar=1[b];[a][b]concat=n=2:v=1:a=0,fps={rate},format=yuv420p"
    group = str(max(1, round(after.fps * KEYFRAME_SECONDS)))
    options = ["-c:v", "libx264", "-threads", "1", "-preset", PRESET, "-crf", str(CRF), "-g", group]
    graph += f",setparams={COLOUR_TAGS}[v]"
    return ["-i", str(first), "-i", str(second), "-filter_complex", graph, "-map", "[v]", *options]


def _run(arguments: list[str], folder: Path, check: Callable[[], object]) -> None:
    """Run ffmpeg to its end. folder: its output folder. check: called meanwhile; ends ffmpeg by raising."""
    ffmpeg = EncodingProcess(["-hide_banner", "-nostats", "-loglevel", "error", "-y", *arguments], folder)
    try:
        ffmpeg.finish(check, math.inf)
    finally:
        ffmpeg.end()
