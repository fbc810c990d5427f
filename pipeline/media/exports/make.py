"""Make an export of a video by ffmpeg: whole or absent, made once, with progress, ended within a frame."""

import math
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image

from ....errors import BadInput, Cancelled, NotFound, RenderError
from ....fs import commit, part_path
from ....messages import msg
from ..encode import COLOUR_TAGS, CRF, KEYFRAME_SECONDS, cannot_write
from ..ffmpeg import FINISH_TIMEOUT, POLL_SECONDS, EncodingProcess, FfmpegProcess
from ..mp4 import TRAINED_MEDIA, read_metadata, settings_comment
from .formats import FILE_NAME, FORMATS, Clip, Export
from .frames import read_forwards, read_frame, read_frames
from .marks import mark, save_still

MOST_KEPT = 12
"""Exports of one video that are kept; the oldest go. Every cut and every still is a file."""

MOST_GIF_FPS = 50
"""A GIF counts hundredths of a second, and browsers slow down what shows a picture for less than two of them."""

LOCK = ".export.lock"
PART_OF = "export"
"""What half-made files are called after, whatever becomes of them."""
PARTS = f".{PART_OF}*.part"

Progress = Callable[[float], object]
Stop = Callable[[], bool]


def make_export(
    clip: Clip, wanted: Export, progress: Progress = lambda share: None, stop: Stop = lambda: False
) -> Path:
    """Return the file of an export, which lies beside the video; it is made if it is not there yet.

    Args:
        clip: the video.
        wanted: what to save it as.
        progress: called with the share that is done, 0..1.
        stop: asked before each frame; True ends it.

    Raises:
        BadInput: `wanted` does not fit the clip.
        NotFound: the video's file is gone.
        RenderError: it cannot be made; the message says why.
        Cancelled: `stop` said so; nothing is left.
    """
    wanted = wanted.resolved(clip)
    if clip.path.is_symlink() or clip.path.parent.is_symlink() or not clip.path.is_file():
        raise _gone()
    if wanted.is_whole_video(clip):
        return clip.path
    target = clip.path.with_name(wanted.file_name(clip))
    try:
        with _alone(clip, stop):
            if not target.is_file():
                _make(clip, wanted, target, progress, stop)
    except OSError as e:
        raise cannot_write(target, e) from e
    return target


def usable_formats() -> list[str]:
    """Return the names of the formats that this ffmpeg can write; all of them where it cannot be asked.

    Each encoder is tried on one small frame.
    """
    lacking = {encoder for encoder in {kind.encoder for kind in FORMATS.values()} - {""} if not _has_encoder(encoder)}
    return [name for name, kind in FORMATS.items() if kind.encoder not in lacking]


def _has_encoder(encoder: str) -> bool:
    quiet = ("-hide_banner", "-nostdin", "-loglevel", "error")
    picture = ("-f", "lavfi", "-i", "color=size=64x64", "-frames:v", "1")
    try:
        ffmpeg = FfmpegProcess([*quiet, *picture, "-c:v", encoder, "-f", "null", "-"])
    except RenderError:
        return True  # the error is told when the format is used
    try:
        return ffmpeg.process.wait(FINISH_TIMEOUT) == 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        ffmpeg.end()


def remove_parts(folder: Path) -> None:
    """Remove what a killed process left half-made in a video's folder, unless an export runs there."""
    if any(folder.glob(PARTS)):
        with suppress(OSError, Timeout), FileLock(folder / LOCK, timeout=0):
            _remove_parts(folder)


def _remove_parts(folder: Path) -> None:
    """Call it with the folder's lock."""
    for left in folder.glob(PARTS):
        with suppress(OSError):
            left.unlink()


@contextmanager
def _alone(clip: Clip, stop: Stop) -> Iterator[None]:
    """Hold the folder's lock: page and command line make one export of a video at a time, and each only once."""
    folder = clip.path.parent
    lock = FileLock(folder / LOCK)
    while True:
        try:
            lock.acquire(timeout=POLL_SECONDS)
            break
        except Timeout:
            if stop():
                raise Cancelled from None
    try:
        if not clip.path.is_file():
            raise _gone()
        yield
    finally:
        lock.release()
        if not clip.path.is_file():  # deleted meanwhile; the lock has made the folder again
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()


def _gone() -> NotFound:
    return NotFound(msg("the video's file is gone from the data folder; make the video again"))


def _make(clip: Clip, wanted: Export, target: Path, progress: Progress, stop: Stop) -> None:
    _remove_parts(target.parent)  # of a process that was killed
    part = part_path(target.with_name(PART_OF))
    try:
        part.touch(exist_ok=False)  # a folder that cannot be written is better told in our words
        if wanted.kind.still:
            pixels = read_frame(clip, wanted)
            save_still(Image.frombytes("RGB", wanted.size(clip), pixels), part, wanted.kind.suffix)
        else:
            _encode(clip, wanted, part, progress, stop)
            mark(part, wanted.kind.suffix)
        if stop():
            raise Cancelled
        commit(part, target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    _forget_oldest(target)
    progress(1.0)


def _forget_oldest(newest: Path) -> None:
    made = [path for path in newest.parent.iterdir() if FILE_NAME.fullmatch(path.name) and path.name != "video.mp4"]
    made.sort(key=lambda path: (path == newest, path.stat().st_mtime_ns))
    for path in made[:-MOST_KEPT]:
        with suppress(OSError):
            path.unlink()


def _encode(clip: Clip, wanted: Export, part: Path, progress: Progress, stop: Stop) -> None:
    shown = wanted.frame_count()
    handed, total = 0, 2 * shown  # each is handed over, and some time later encoded
    palette = part.with_name(f"{part.name}.png.part")
    if wanted.format == "gif":
        total += (wanted.end or 0) - wanted.start

    def poll(encoded: int) -> None:
        if stop():
            raise Cancelled
        progress((handed + encoded) / (total + 1))  # the rest is the file's end

    def counted(frames: Generator[bytes]) -> Generator[bytes]:
        nonlocal handed
        with closing(frames):  # an ended one's ffmpeg ends now, not when the error is forgotten
            for frame in frames:
                yield frame
                handed += 1

    try:
        if wanted.format == "gif":
            forwards = counted(read_forwards(clip, wanted, wanted.start, wanted.end or 0))
            _write(clip, wanted, forwards, _palette_arguments(palette), part.parent, lambda _: poll(0))
        frames, output = counted(read_frames(clip, wanted)), _arguments(clip, wanted, part, palette)
        _write(clip, wanted, frames, output, part.parent, lambda encoded: poll(min(encoded, shown)))
    finally:
        with suppress(OSError):
            palette.unlink(missing_ok=True)


def _write(
    clip: Clip,
    wanted: Export,
    frames: Generator[bytes],
    output: list[str],
    folder: Path,
    poll: Callable[[int], None],
) -> None:
    """Hand the frames over to an ffmpeg with these arguments for its output, and wait until it has ended well.

    Args:
        clip: The video.
        wanted: What is made of it.
        frames: The pixels of each.
        output: The arguments.
        folder: Where it writes.
        poll: Called with the number of frames that are encoded; may raise, which ends the work.
    """
    width, height = wanted.size(clip)
    ffmpeg = EncodingProcess(
        [
            *("-hide_banner", "-nostats", "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pixel_format", wanted.kind.pixels, "-video_size", f"{width}x{height}"),
            *("-framerate", f"{clip.fps:g}", "-i", "pipe:0", *output),
        ],
        folder,
    )
    try:
        with closing(frames):
            for frame in frames:
                poll(ffmpeg.encoded)
                ffmpeg.write(frame)
        ffmpeg.finish(lambda: poll(ffmpeg.encoded))
    finally:
        ffmpeg.end()


def _arguments(clip: Clip, wanted: Export, part: Path, palette: Path) -> list[str]:
    """Return how ffmpeg is to write the file."""
    group = str(max(1, round(clip.fps * KEYFRAME_SECONDS)))
    tagged = ("-vf", f"setparams={COLOUR_TAGS}")
    bare = ("-map_metadata", "-1", "-threads", "2", "-fps_mode", "passthrough")
    x264 = (*tagged, "-c:v", "libx264", "-g", group, "-movflags", "+faststart")
    kinds: dict[str, tuple[str, ...]] = {
        "mp4": (*x264, "-preset", "medium", "-crf", str(CRF), *_settings(clip), "-f", "mp4"),
        "web": (*x264, "-preset", "slow", "-crf", "24", "-f", "mp4"),
        "webm": (
            *(*tagged, "-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "33", "-deadline", "good", "-cpu-used", "4"),
            *("-row-mt", "1", "-g", group, "-metadata", f"digital_source_type={TRAINED_MEDIA}", "-f", "webm"),
        ),
        "gif": (
            *("-filter_complex", f"[0:v]{_gif_rate(clip)}[v];[v][1:v]paletteuse=dither=sierra2_4a"),
            *("-final_delay", str(_gif_final_delay(clip, wanted)), "-loop", "0", "-f", "gif"),
        ),
        "webp": ("-c:v", "libwebp_anim", "-quality", "80", "-compression_level", "3", "-loop", "0", "-f", "webp"),
    }
    second = ("-i", str(palette)) if wanted.format == "gif" else ()
    return [*second, *bare, *kinds[wanted.format], str(part)]


def _settings(clip: Clip) -> tuple[str, ...]:
    """Return ffmpeg's options that copy the video's settings: for full-size copies. One for the web has none."""
    try:
        return "-metadata", f"comment={settings_comment(read_metadata(clip.path))}"
    except BadInput:
        return ()


def _palette_arguments(palette: Path) -> list[str]:
    return ["-vf", "palettegen", "-frames:v", "1", "-c:v", "png", "-f", "image2", "-update", "1", str(palette)]


def _gif_step(clip: Clip) -> int:
    """Return n, where a GIF shows every n-th frame: browsers slow down quicker ones."""
    return math.ceil(clip.fps / MOST_GIF_FPS)


def _gif_rate(clip: Clip) -> str:
    step = _gif_step(clip)
    return "null" if step == 1 else f"select=not(mod(n\\,{step}))"


def _gif_final_delay(clip: Clip, wanted: Export) -> int:
    """Return the hundredths of a second for the last picture that make the whole as long as the video."""
    count = wanted.frame_count()
    last = (count - 1) // _gif_step(clip) * _gif_step(clip)
    return max(2, round(100 * count / clip.fps) - round(100 * last / clip.fps))
