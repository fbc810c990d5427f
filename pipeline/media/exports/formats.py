"""Define what a finished video can be saved as, and how the file is called that then lies beside it."""

import re
from dataclasses import dataclass
from pathlib import Path

from ....errors import BadInput
from ....messages import msg


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: as the command line and the API call it.
        suffix: of its files.
        media_type: of its files, for HTTP.
        still: one frame of the video, not a part of it.
        longest: pixels of the longer side at most; 0 = as the video.
        pixels: how ffmpeg names the pixels that its encoder takes. RGB where the encoder has its own colour matrix.
        encoder: ffmpeg's name of it, "" where none of ffmpeg's writes the file.
    """

    name: str
    suffix: str
    media_type: str
    still: bool = False
    longest: int = 0
    pixels: str = "rgb24"
    encoder: str = ""


FORMATS = {
    one.name: one
    for one in (
        Format("mp4", ".mp4", "video/mp4", pixels="yuv420p", encoder="libx264"),
        Format("web", ".mp4", "video/mp4", longest=1280, pixels="yuv420p", encoder="libx264"),
        Format("webm", ".webm", "video/webm", longest=1280, pixels="yuv420p", encoder="libvpx-vp9"),
        Format("gif", ".gif", "image/gif", longest=640, encoder="gif"),
        Format("webp", ".webp", "image/webp", longest=1280, encoder="libwebp_anim"),
        Format("png", ".png", "image/png", still=True),
        Format("jpg", ".jpg", "image/jpeg", still=True),
    )
}

FILE_NAME = re.compile(
    r"video(-web)?(-frames-\d+-\d+)?(-ping-pong)?\.(mp4|webm|gif|webp)|frame-\d+\.(png|jpg)", re.ASCII
)
"""Every name that `Export.file_name` gives."""


@dataclass(frozen=True)
class Clip:
    """A finished video: its file, size in pixels, frames, and frames a second."""

    path: Path
    width: int
    height: int
    frames: int
    fps: float


@dataclass(frozen=True)
class Export:
    """What a video is to be saved as. Frames are counted from 0.

    Attributes:
        format: name of a `Format`.
        start: the first frame that is kept.
        end: the frame after the last one that is kept; None = to the end.
        ping_pong: forwards and back, without the two frames at which it turns being shown twice: it loops evenly.
        frame: the one that a still shows; None = the middle one.
    """

    format: str
    start: int = 0
    end: int | None = None
    ping_pong: bool = False
    frame: int | None = None

    @property
    def kind(self) -> Format:
        """Its format."""
        return FORMATS[self.format]

    def resolved(self, clip: Clip) -> "Export":
        """Return it with numbers for a clip: `end` and, for a still, `frame` are set.

        Raises:
            BadInput: it names no format, or frames that the clip does not have.
        """
        if self.format not in FORMATS:
            raise BadInput(
                msg(
                    "a video cannot be saved as {name!r}; choose from {known}",
                    name=self.format,
                    known=", ".join(FORMATS),
                )
            )
        if self.kind.still:
            return self._resolved_still(clip)
        if self.frame is not None:
            raise BadInput(msg("{name} is no still picture: it takes no single frame", name=self.format))
        end = clip.frames if self.end is None else self.end
        if not 0 <= self.start < end <= clip.frames:
            raise BadInput(
                msg(
                    "the part goes from frame {start} to {end}; the video has the frames 0 to {frames}, and the part "
                    "needs at least one of them",
                    start=self.start,
                    end=end,
                    frames=clip.frames,
                )
            )
        return Export(self.format, self.start, end, self.ping_pong and end - self.start > 1)

    def _resolved_still(self, clip: Clip) -> "Export":
        if self.ping_pong or self.start or self.end is not None:
            raise BadInput(
                msg("{name} is a still picture: choose its frame, and no part of the video", name=self.format)
            )
        frame = clip.frames // 2 if self.frame is None else self.frame
        if not 0 <= frame < clip.frames:
            raise BadInput(
                msg(
                    "frame {frame} is not there; the video has the frames 0 to {last}",
                    frame=frame,
                    last=clip.frames - 1,
                )
            )
        return Export(self.format, frame=frame)

    def is_whole_video(self, clip: Clip) -> bool:
        """Tell whether this (resolved) is the video as it is, so that nothing has to be made."""
        return self.format == "mp4" and not self.ping_pong and (self.start, self.end) == (0, clip.frames)

    def words(self, clip: Clip) -> str:
        """Return what a file of this (resolved) is, for its name: "" for the whole video."""
        if self.kind.still:
            return f"frame-{self.frame}"
        parts = ["web"] if self.format == "web" else []
        if (self.start, self.end) != (0, clip.frames):
            parts.append(f"frames-{self.start}-{self.end}")
        return "-".join([*parts, "ping-pong"] if self.ping_pong else parts)

    def file_name(self, clip: Clip) -> str:
        """Return the name of its file beside the video, as `FILE_NAME` has it."""
        words = self.words(clip)
        stem = words if self.kind.still else "-".join(["video", words] if words else ["video"])
        return stem + self.kind.suffix

    def size(self, clip: Clip) -> tuple[int, int]:
        """Return width and height in pixels, both even."""
        longest = max(clip.width, clip.height)
        share = min(1.0, self.kind.longest / longest) if self.kind.longest else 1.0
        return tuple(max(2, 2 * round(side * share / 2)) for side in (clip.width, clip.height))  # type: ignore[return-value]

    def frame_count(self) -> int:
        """Return how many frames the file (of a resolved export) shows."""
        if self.kind.still or self.end is None:
            return 1
        there = self.end - self.start
        return 2 * there - 2 if self.ping_pong else there
