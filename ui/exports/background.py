"""Export videos in the background, one after the other, in an order that is fair to logins."""

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
    """An export in progress.

    Attributes:
        job: The job's id.
        owner: The job's login.
        state: `waiting`, `running`, `done`, `failed` or `cancelled`.
        fraction: Share that is done, 0..1.
        error: Why it failed.
        stop: Set to cancel it.
        ended: Set when it has ended.
    """

    job: str
    owner: str
    state: str = "waiting"
    fraction: float = 0.0
    error: Message = NOTHING
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class Exports:
    """The exports since the page was started. Older ones are found by their files.

    Args:
        root_path: Path under which a reverse proxy serves the page.
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
        """Start an export, unless its file exists or is in progress.

        Returns:
            The name of its file, for `look`, `file` and `cancel`.

        Raises:
            BadInput: The export does not fit the video, or too many of the login's exports wait.
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
            `state` as in `Making`; `fraction` 0..1; `error` by language, or None; once it is done, `bytes` and the
            addresses.

        Raises:
            NotFound: It was never started, or its file was removed since.
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
        """Return the path of an export's file, whether or not it exists.

        Raises:
            NotFound: No export has such a name.
        """
        if not FILE_NAME.fullmatch(name):
            raise NotFound(msg("there is no such file"))
        return clip_of(job).path.with_name(name)

    def cancel(self, job: Job, name: str) -> None:
        """Cancel an export that waits or runs; no effect on a finished one."""
        with self._lock:
            if making := self._known.get((job.id, name)):
                self._end(making)

    @contextmanager
    def none_of(self, job_id: str) -> Iterator[None]:
        """Cancel a job's exports, and start none during the block, in which its folder is removed.

        Waits some hundredths of a second for a running one.
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
        """Cancel all exports, so that the program can end."""
        for making in list(self._known.values()):
            making.stop.set()
        self._order.close()

    def _forget_oldest(self) -> None:
        """Drop the exports that ended first; never one that waits or runs. Call it with the lock held."""
        ended = [key for key, making in self._known.items() if making.ended.is_set()]
        for key in ended[: max(0, len(ended) + 1 - MOST_REMEMBERED)]:
            del self._known[key]

    @staticmethod
    def _end(making: Making) -> None:
        """Cancel one export. A waiting one ends at once. Call it with the lock held."""
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
