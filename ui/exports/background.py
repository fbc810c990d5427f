"""Save videos in other forms while the page is used: one after the other, in an order that is fair to logins."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import BadInput, Cancelled, FanslymotionError, NotFound
from ...messages import Message, msg
from ...pipeline.media.exports.formats import FILE_NAME, Clip, Export
from ...pipeline.media.exports.make import make_export, usable_formats
from ...queue.types import NOTHING, Job
from ..cached import CachedResult
from ..error_response import UNKNOWN, in_each_language
from .fair_order import FairOrder

log = logging.getLogger(__name__)

MOST_WAITING = 20
"""Exports of one login that may wait at a time."""
MOST_REMEMBERED = 500
"""Exports that have ended. What is forgotten is found by its file."""
END_SECONDS = 5.0
FORMATS_SECONDS = 600.0


@dataclass
class Making:
    """One file on its way.

    Attributes:
        job: The job's id.
        owner: The job's login.
        state: `waiting`, `running`, `done`, `failed` or `cancelled`.
        fraction: Share that is done, 0..1.
        error: Why it failed.
        stop: Set to end it.
        ended: Set when nothing more happens to it.
    """

    job: str
    owner: str
    state: str = "waiting"
    fraction: float = 0.0
    error: Message = NOTHING
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class Exports:
    """The exports since the page was started. What was made before is found by its file.

    Args:
        root_path: The path under which a reverse proxy shows the page.
    """

    def __init__(self, root_path: str = "") -> None:
        self._root_path = root_path
        self._lock = threading.Lock()
        self._order = FairOrder("export")
        self._known: dict[tuple[str, str], Making] = {}
        """The latest started last."""
        self._running: Making | None = None
        """Perhaps one that was ended, and in whose place in `_known` there is another by now."""
        self._none_of: set[str] = set()
        """Jobs that are being deleted."""
        self.formats = CachedResult(usable_formats, FORMATS_SECONDS)

    def start(self, job: Job, wanted: Export) -> str:
        """Start an export, unless its file is there or on its way.

        Returns:
            The name of its file, for `look`, `file` and `cancel`.

        Raises:
            BadInput: The video has not what is wanted, or too many of the login's exports wait.
            NotFound: The job has no video.
        """
        clip = clip_of(job)
        wanted = wanted.resolved(clip)
        name = clip.path.name if wanted.is_whole_video(clip) else wanted.file_name(clip)
        with self._lock:
            if job.id in self._none_of:
                raise NotFound(msg("this job has no video"))
            known = self._known.get((job.id, name))
            on_its_way = known is not None and not known.ended.is_set() and not known.stop.is_set()
            if on_its_way or clip.path.with_name(name).is_file():
                return name
            waiting = [one for one in self._known.values() if one.owner == job.owner and not one.ended.is_set()]
            if len(waiting) >= MOST_WAITING:
                raise BadInput(msg("{count} files are being made already; wait for them", count=len(waiting)))
            self._known.pop((job.id, name), None)
            self._forget_oldest()
            making = self._known[job.id, name] = Making(job.id, job.owner)
            self._order.add(job.owner, partial(self._make, making, clip, wanted))
        return name

    def look(self, job: Job, name: str) -> dict[str, Any]:
        """Return the JSON of an export.

        Returns:
            `state` as in `Making`; `fraction` 0..1; `error` by language, None where there is none; `bytes` and the
            addresses once it is done.

        Raises:
            NotFound: It was never started, or its file has been removed since.
        """
        path, making = self.file(job, name), self._known.get((job.id, name))
        state = making.state if making else "done"  # before the file is looked for: it may be finished meanwhile
        try:
            size: int | None = path.stat().st_size
        except OSError:
            size = None
        if size is None and state == "done":
            raise NotFound(msg("there is no such file"))
        if size is not None:
            state = "done"
        url = f"{self._root_path}/studio/jobs/{job.id}/exports/{name}/file"
        return {
            "name": name,
            "state": state,
            "fraction": 1.0 if state == "done" else round(making.fraction, 3) if making else 0.0,
            "error": in_each_language(making.error) if state == "failed" and making else None,
            "url": url,
            "download": f"{url}?download=1",
            "bytes": size or 0,
        }

    @staticmethod
    def file(job: Job, name: str) -> Path:
        """Return where an export's file is, or would be.

        Raises:
            NotFound: No export has such a name.
        """
        if not FILE_NAME.fullmatch(name):
            raise NotFound(msg("there is no such file"))
        return clip_of(job).path.with_name(name)

    def cancel(self, job: Job, name: str) -> None:
        """End an export that waits or runs; nothing happens to one that is made."""
        with self._lock:
            if making := self._known.get((job.id, name)):
                self._end(making)

    @contextmanager
    def none_of(self, job_id: str) -> Iterator[None]:
        """End a job's exports, and let none begin in the block, in which its folder is removed.

        Waits for the one that runs: some hundredths of a second.
        """
        with self._lock:
            self._none_of.add(job_id)
            mine = [making for making in (*self._known.values(), self._running) if making and making.job == job_id]
            for making in mine:
                self._end(making)
        try:
            for making in mine:
                making.ended.wait(END_SECONDS)
            yield
        finally:
            with self._lock:
                self._none_of.discard(job_id)

    def close(self) -> None:
        """End all of them, so that the program can end."""
        for making in list(self._known.values()):
            making.stop.set()
        self._order.close()

    def _forget_oldest(self) -> None:
        """Forget those that ended first, under the lock; never one that waits or runs."""
        ended = [key for key, making in self._known.items() if making.ended.is_set()]
        for key in ended[: max(0, len(ended) + 1 - MOST_REMEMBERED)]:
            del self._known[key]

    @staticmethod
    def _end(making: Making) -> None:
        """End one, under the lock. One that waits has ended with that, however long the one before it takes."""
        making.stop.set()
        if making.state == "waiting":
            making.state = "cancelled"
            making.ended.set()

    def _make(self, making: Making, clip: Clip, wanted: Export) -> None:
        with self._lock:
            if making.stop.is_set():
                making.state = "cancelled"
                making.ended.set()
                return
            making.state, self._running = "running", making

        def progress(share: float) -> None:
            making.fraction = share

        try:
            make_export(clip, wanted, progress, making.stop.is_set)
            making.state = "done"
        except Cancelled:
            making.state = "cancelled"
        except FanslymotionError as e:
            making.error, making.state = e.message, "failed"
        except Exception:
            log.exception("saving %s as %s failed", clip.path, wanted)
            making.error, making.state = UNKNOWN, "failed"
        finally:
            self._running = None
            making.ended.set()


def clip_of(job: Job) -> Clip:
    """Return a job's video.

    Raises:
        NotFound: It has none.
    """
    if job.video is None or not (job.frames and job.fps):
        raise NotFound(msg("this job has no video"))
    return Clip(job.video, job.width, job.height, job.frames, job.fps)
