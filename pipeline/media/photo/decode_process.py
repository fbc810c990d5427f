"""Decode uploaded photos in a separate process, whose memory and time are limited.

A decoder can take gigabytes or minutes for a small file, and may crash on a broken one. The C library keeps the memory.
None of this affects the page: the process is watched, and ended when it exceeds a limit.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ....errors import BadInput, PhotoError, StartError, StoreError
from ....fs import write_whole
from ....messages import Message, msg
from ..ffmpeg import CREATION_FLAGS
from .decode_memory import NeedsMemory
from .load import jpeg_view, read_photo, save_photo

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.02
"""Between two looks at the process: a decoder fills some 20 MB in that time."""
MOST_SECONDS = 60.0
"""Of one photo. The slowest that fits into memory takes about 10 on two busy cores."""
KEEP_BYTES = 150_000_000
"""A process that is larger after its photo is ended: the C library gives little back."""
IDLE_SECONDS = 60.0
END_SECONDS = 10.0
"""For a process to end whose output has ended."""


class Decoded(NamedTuple):
    """A decoded photo.

    Attributes:
        width: of the normalised photo, in pixels.
        height: of the normalised photo, in pixels.
        notes: about what the file lacks.
        sha256: of the normalised photo's file, in hexadecimal.
    """

    width: int
    height: int
    notes: tuple[Message, ...] = ()
    sha256: str = ""


class Decoder:
    """A process that decodes one photo at a time in at most `limit` bytes; started when needed. Safe in any thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self.pid = 0
        """The id of the process, once it has said it. On Windows the one that was started only starts Python itself."""
        self._idle: threading.Timer | None = None

    def run(self, source: Path, name: str, photo: Path, view: Path, side: int) -> Decoded:
        """Write the normalised photo, and a JPEG of it of at most `side` pixels; return what was found.

        Raises:
            NeedsMemory: it takes more than the limit.
            BadInput: it is no photo, damaged, or takes too long.
            StoreError: the files cannot be written.
            StartError: the process cannot be started, or ends before it is given the photo.
        """
        order = {"source": str(source), "name": name, "limit": self.limit}
        order |= {"photo": str(photo), "view": str(view), "side": side}
        with self._lock:
            process = self._ready()
            watch = _Watch(self.pid or process.pid, self.limit)
            try:
                self.pid = watch.pid = self.pid or _said_pid(process)
                ready = self.pid != 0
                if not ready:
                    with suppress(subprocess.TimeoutExpired):  # it is ending by itself: its own code tells more
                        process.wait(END_SECONDS)
                answer = _ask(process, order) if ready else None
            finally:
                watch.stop()
            if answer is None or watch.bytes > KEEP_BYTES:
                self._end()
            else:
                self._end_when_idle()
        if not ready and not watch.why:
            raise _not_started(msg("it ended with code {code}", code=process.returncode))
        return _understood(answer, watch, name)

    def close(self) -> None:
        """End the process after its current photo."""
        with self._lock:
            self._end()

    def _ready(self) -> "subprocess.Popen[str]":
        if self._idle is not None:
            self._idle.cancel()
        if self._process is None or self._process.poll() is not None:
            self.pid = 0
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "fanslymotion.pipeline.media.photo.decode_process"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    encoding="ascii",
                    start_new_session=True,
                    creationflags=CREATION_FLAGS,
                )
            except OSError as e:
                raise _not_started(e.strerror or str(e)) from e
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if self.pid and process.poll() is None:
            _kill(self.pid)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _end_when_idle(self) -> None:
        self._idle = threading.Timer(IDLE_SECONDS, self.close)
        self._idle.daemon = True
        self._idle.start()


class _Watch:
    """Watch the process's memory and time, and end it when one exceeds its limit. pid: may be changed meanwhile."""

    def __init__(self, pid: int, limit: int) -> None:
        self.pid = pid
        self.bytes = 0
        """The last that was seen."""
        self.why = ""
        self._limit = limit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="photo-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        import psutil  # only where a process is watched: the process itself does without

        end = time.monotonic() + MOST_SECONDS
        with suppress(psutil.Error):  # it has ended by itself
            process = psutil.Process(self.pid)
            while not self._stop.wait(LOOK_SECONDS):
                if process.pid != self.pid:
                    process = psutil.Process(self.pid)
                self.bytes = process.memory_info().rss
                if self.bytes > self._limit:
                    self.why = "memory"
                elif time.monotonic() > end:
                    self.why = "time"
                if self.why:
                    process.kill()
                    return


def _kill(pid: int) -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


def _said_pid(process: "subprocess.Popen[str]") -> int:
    """Read the first line of the process, which is its id. Return 0 if it ended before that."""
    assert process.stdout is not None
    try:
        return int(process.stdout.readline())
    except (OSError, ValueError):
        return 0


def _not_started(reason: Message | str) -> StartError:
    return StartError(
        msg(
            "photos cannot be opened: the process for it does not start ({reason}). Close other programs if the memory "
            "is full; fanslymotion doctor says whether something is missing",
            reason=reason,
        )
    )


def _ask(process: "subprocess.Popen[str]", order: dict[str, Any]) -> dict[str, Any] | None:
    """Send an order. Return None if the process ended before it answered."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())
    except (OSError, ValueError):
        return None


def _understood(answer: dict[str, Any] | None, watch: _Watch, name: str) -> Decoded:
    if answer is None and watch.why == "memory":
        raise NeedsMemory(
            msg(
                "{name} takes more than {limit} MB of memory to open; save it smaller",
                name=name,
                limit=watch._limit // 10**6,
            )
        )
    if answer is None and watch.why == "time":
        raise PhotoError(
            msg(
                "{name} takes longer than {seconds:.0f} s to open; save it smaller, or as JPEG",
                name=name,
                seconds=MOST_SECONDS,
            )
        )
    if answer is None:
        log.warning("a photo ended the process that decodes photos: %s", name)
        raise PhotoError(
            msg("{name} is damaged or incomplete; open it in a picture viewer and save it again", name=name)
        )
    if "size" in answer:
        width, height = answer["size"]
        return Decoded(width, height, tuple(map(Message.from_json, answer["notes"])), answer["sha256"])
    raise {"memory": NeedsMemory, "disk": StoreError}.get(answer["kind"], PhotoError)(
        Message.from_json(answer["sentence"])
    )


def decode(order: dict[str, Any]) -> dict[str, Any]:
    """Decode a photo in the process, and return the answer."""
    try:
        image, notes = read_photo(Path(order["source"]), order["name"], memory=order["limit"])
        sha256 = save_photo(image, Path(order["photo"]))
        write_whole(Path(order["view"]), jpeg_view(image, order["side"]))
        return {"size": image.size, "sha256": sha256, "notes": [note.to_json() for note in notes]}
    except NeedsMemory as e:
        return {"kind": "memory", "sentence": e.message.to_json()}
    except BadInput as e:
        return {"kind": "photo", "sentence": e.message.to_json()}
    except StoreError as e:
        return {"kind": "disk", "sentence": e.message.to_json()}
    except OSError as e:
        return {"kind": "disk", "sentence": not_kept(Path(order["view"]).parent, e).to_json()}


def not_kept(folder: Path, error: OSError) -> Message:
    """Say that a photo cannot be written to a folder, and why."""
    return msg("the photo cannot be kept in {folder}: {error}", folder=folder, error=error.strerror or error)


def main() -> None:
    """Say the own process id; answer orders, one line of JSON each, until the page ends."""
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        print(json.dumps(decode(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
