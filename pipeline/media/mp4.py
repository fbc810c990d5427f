"""Write and read an mp4's metadata: the settings it was made with, and that a model made it."""

import io
import json
import os
import re
import struct
import subprocess
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

from ... import __version__
from ...errors import BadInput, RenderError
from ...messages import msg
from .ffmpeg import CREATION_FLAGS, ffmpeg_path, not_started

XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
"""The extended type of the top-level `uuid` box that holds XMP in an mp4 (XMP specification, part 3)."""

TRAINED_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC digital source type: made by a model from training data. What platforms read to label such media."""

MAX_COMMENT = 16_384
"""Bytes of settings. They travel as one command line argument, and Windows allows 32,767 characters in all."""

MAX_MOOV = 64 * 1024 * 1024
"""Bytes of the index (`moov`) that are read at most. An hour of video has a few hundred kilobytes of it."""

MAX_BOXES = 10_000

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:CreatorTool="fanslymotion {version}" Iptc4xmpExt:DigitalSourceType="{source}"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def settings_comment(settings: dict[str, Any]) -> str:
    """Write the text of the file's `comment` tag. Plain ASCII, so that no locale or command line can harm it."""
    text = json.dumps({"software": f"fanslymotion {__version__}", "settings": settings}, separators=(",", ":"))
    if len(text) > MAX_COMMENT:
        raise ValueError(f"the settings take {len(text)} bytes; a video file carries at most {MAX_COMMENT}")
    return text


def xmp_packet() -> str:
    """Return the XMP packet that says that a model made the picture."""
    return XMP.format(version=__version__, source=TRAINED_MEDIA)


def mark_ai_generated(path: Path) -> None:
    """Append the XMP packet to a finished mp4. At the end, because chunk offsets in `moov` stay right only so."""
    packet = xmp_packet().encode()
    with open(path, "ab") as file:
        file.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", XMP_UUID) + packet)


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the settings stored in a video. Raise BadInput when it has none, or is no whole mp4."""
    comment = _comment(path)
    try:
        found = json.loads(comment)
        settings = found["settings"]
        ours = str(found["software"]).startswith("fanslymotion") and isinstance(settings, dict)
    except (ValueError, TypeError, KeyError, RecursionError):
        ours, settings = False, {}
    if not ours:
        raise BadInput(
            msg(
                "{name} holds no settings: choose a video made by fanslymotion and not re-encoded since", name=path.name
            )
        )
    return settings


def read_xmp(path: Path) -> str:
    """Read the XMP packet of an mp4, "" when it has none. Raise BadInput when it is no whole mp4."""
    with _opened(path) as file:
        for kind, start, end in _boxes(file, 0, _length(file), path):
            if kind == b"uuid" and end - start >= 16 and _read(file, start, start + 16) == XMP_UUID:
                return _read(file, start + 16, min(end, start + 16 + 1024 * 1024)).decode("utf-8", "replace")
    return ""


@dataclass(frozen=True)
class Track:
    """A video track as its index describes it.

    Attributes:
        decoder: What a decoder is set up with (avcC).
        frames: Their count.
        width: Of a frame, in pixels.
        height: Of a frame, in pixels.
        seconds: How long it is shown; 0 where the index does not say.
    """

    decoder: bytes
    frames: int
    width: int
    height: int
    seconds: Fraction

    @property
    def fps(self) -> Fraction:
        """Frames a second, on the average; 0 where the index does not say."""
        return self.frames / self.seconds if self.seconds else Fraction()


def read_track(path: Path) -> Track:
    """Return the video track of an mp4 of ours, from its boxes alone. Raise BadInput when it is no whole mp4."""
    with _opened(path) as file:
        deque(_boxes(file, 0, _length(file), path), maxlen=0)  # the index comes first: the pictures may be cut short
    moov, place = _index(path)
    media = _find(moov, b"mdia", _find(moov, b"trak", place, path), path)
    time, tables = _find(moov, b"mdhd", media, path), _find(moov, b"stbl", _find(moov, b"minf", media, path), path)
    sizes, entry = _find(moov, b"stsz", tables, path), _find(moov, b"stsd", tables, path)
    picture = decoder = None
    if entry is not None:  # version, flags and count come before its entries
        picture = _find(moov, b"avc1", (entry[0] + 8, entry[1]), path)
    if picture is not None:  # 78 bytes of sizes and names come before its boxes
        decoder = _find(moov, b"avcC", (picture[0] + 78, picture[1]), path)
    if not (time and sizes and picture and decoder):
        raise _not_whole(path)
    try:
        (frames,) = struct.unpack(">8xI", _read(moov, sizes[0], sizes[0] + 12))
        width, height = struct.unpack(">24xHH", _read(moov, picture[0], picture[0] + 28))
        long = _read(moov, time[0], time[0] + 1) == b"\1"  # the box's version: 64-bit times
        ticks, length = struct.unpack(
            ">20xIQ" if long else ">12xII", _read(moov, time[0], time[0] + (32 if long else 20))
        )
    except struct.error as e:
        raise _not_whole(path) from e
    return Track(_read(moov, *decoder), frames, width, height, Fraction(length, ticks) if ticks else Fraction())


def _comment(path: Path) -> str:
    """Read moov/udta/meta/ilst/©cmt/data, iTunes' place for tags, where ffmpeg writes `comment`."""
    moov, place = _index(path)
    for kind in (b"udta", b"meta", b"ilst", b"\xa9cmt", b"data"):
        place = _find(moov, kind, place, path)
        if place is None:
            return ""
        if kind == b"meta":
            place = (place[0] + 4, place[1])  # version and flags come before its boxes
    assert place is not None
    return _read(moov, place[0] + 8, min(place[1], place[0] + 8 + MAX_COMMENT)).decode("utf-8", "replace")


def _index(path: Path) -> tuple[IO[bytes], tuple[int, int] | None]:
    """Return the content of `moov`, and the place of all of it."""
    with _opened(path) as file:
        span = _find(file, b"moov", (0, _length(file)), path)
        if span is None:
            raise _not_whole(path)
        if span[1] - span[0] > MAX_MOOV:
            raise BadInput(
                msg(
                    "{name} is damaged: its index claims {bytes} bytes; copy it again",
                    name=path.name,
                    bytes=span[1] - span[0],
                )
            )
        moov = io.BytesIO(_read(file, *span))
    return moov, (0, len(moov.getbuffer()))


def _opened(path: Path) -> IO[bytes]:
    try:
        return open(path, "rb")
    except (OSError, ValueError) as e:
        raise BadInput(
            msg(
                "{name} cannot be read: {error}; choose another file",
                name=path,
                error=getattr(e, "strerror", None) or e,
            )
        ) from e


def _length(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)


def _read(file: IO[bytes], start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(max(0, end - start))


def _not_whole(path: Path) -> BadInput:
    return BadInput(msg("{name} is not a whole mp4 video; choose another file or copy it again", name=path.name))


def _find(file: IO[bytes], kind: bytes, place: tuple[int, int] | None, path: Path) -> tuple[int, int] | None:
    if place is None:
        return None
    for found, start, end in _boxes(file, *place, path):
        if found == kind:
            return start, end
    return None


def _boxes(file: IO[bytes], start: int, end: int, path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, content start, content end) of the ISO BMFF boxes between two offsets; each size is checked."""
    for _ in range(MAX_BOXES):
        if end - start < 8:
            return
        size, kind = struct.unpack(">I4s", _read(file, start, start + 8))
        header = 8
        if size == 1 and end - start >= 16:
            size, header = struct.unpack(">Q", _read(file, start + 8, start + 16))[0], 16
        elif size == 0:
            size = end - start
        if size < header or size > end - start:
            raise _not_whole(path)
        yield kind, start + header, start + size
        start += size


@dataclass(frozen=True)
class VideoInfo:
    """What ffmpeg finds in a video. duration in seconds, sizes in pixels, frames counted by decoding all of them."""

    width: int
    height: int
    fps: float
    frames: int
    duration: float
    codec: str
    pixel_format: str


def probe(path: Path) -> VideoInfo:
    """Decode the whole file and say what it holds. Raise RenderError when ffmpeg finds anything wrong with it."""
    program = ffmpeg_path()
    command = [program, "-hide_banner", "-nostdin", "-i", str(path), "-map", "0:v:0", "-f", "null", "-"]
    try:
        run = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True, creationflags=CREATION_FLAGS
        )
    except OSError as e:
        raise not_started(program, e) from e
    said = run.stderr.decode("utf-8", "replace")
    stream = re.search(r"Video: (\w+).*?, (\w+)(?:\([^)]*\))?, (\d+)x(\d+).*?, ([\d.]+) fps", said)
    duration = re.search(r"Duration: (\d+):(\d+):([\d.]+)", said)
    frames = re.findall(r"frame=\s*(\d+)", said)
    if run.returncode or not (stream and duration and frames):
        raise RenderError(msg("{name} cannot be decoded:\n{said}", name=path, said=said[-2000:]))
    hours, minutes, seconds = duration.groups()
    codec, pixel_format, width, height, fps = stream.groups()
    length = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return VideoInfo(int(width), int(height), float(fps), int(frames[-1]), length, codec, pixel_format)
