"""Join two videos of ours into one file: what is in them stays as it was encoded, bit for bit."""

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import BadInput, RenderError
from ...fs import commit, part_path
from ...messages import codes, msg
from .encode import COLOUR_TAGS, CRF, PRESET
from .ffmpeg import CREATION_FLAGS, ffmpeg_path
from .mp4 import Track, mark_ai_generated, read_track, settings_comment


def earlier_track(path: Path) -> Track:
    """Look into the video that another one is to be joined to.

    Raises:
        RenderError: It is missing or no whole mp4.
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


def join(first: Path, second: Path, out: Path, metadata: dict[str, Any]) -> None:
    """Write `out`: `first` and behind it `second`, whole or not at all. Both files stay.

    Where both were encoded alike they are copied; else (`first` is of an earlier version, or the resolution's preset
    was changed) both are encoded anew, in the second one's size.

    Args:
        first: An mp4 of ours.
        second: The same.
        out: The joined mp4.
        metadata: As for `VideoEncoder`.

    Raises:
        RenderError: ffmpeg could not do it.
    """
    part = part_path(out)
    alike = earlier_track(first).decoder == read_track(second).decoder
    try:
        with tempfile.TemporaryDirectory() as place:
            how = _copied(first, second, Path(place)) if alike else _encoded(first, second)
            comment = f"comment={settings_comment(metadata)}"
            _run([*how, "-movflags", "+faststart", "-metadata", comment, "-f", "mp4", str(part)])
        mark_ai_generated(part)
        commit(part, out)
    except OSError as e:
        raise RenderError(
            msg("{file} cannot be written: {error}; choose another folder", file=out, error=e.strerror or e),
            code=codes.VIDEO_NOT_WRITTEN,
        ) from e
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _copied(first: Path, second: Path, place: Path) -> list[str]:
    """place: an empty folder for the list of the files."""
    quoted = ("file '{}'\n".format(str(path.absolute()).replace("'", r"'\''")) for path in (first, second))
    (place / "list").write_text("".join(quoted), encoding="utf-8", newline="\n")
    return ["-f", "concat", "-safe", "0", "-i", str(place / "list"), "-map", "0:v:0", "-c", "copy"]


def _encoded(first: Path, second: Path) -> list[str]:
    size = "scale=rw:rh:flags=lanczos"
    graph = f"[0:v][1:v]{size}[a];[a][1:v]concat=n=2:v=1:a=0,format=yuv420p,setparams={COLOUR_TAGS}[v]"
    options = ["-c:v", "libx264", "-threads", "1", "-preset", PRESET, "-crf", str(CRF)]
    return ["-i", str(first), "-i", str(second), "-filter_complex", graph, "-map", "[v]", *options]


def _run(arguments: list[str]) -> None:
    command = [ffmpeg_path(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y", *arguments]
    run = subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True, creationflags=CREATION_FLAGS
    )
    if run.returncode:
        said = run.stderr.decode("utf-8", "replace")[-2000:]
        full = "No space left on device" in said
        raise RenderError(
            msg("the two videos could not be joined:\n{said}", said=said),
            code=codes.DISK_FULL if full else codes.NO_ENCODER,
        )
