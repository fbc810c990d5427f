"""What happens, pushed to every open page: one thread reads the store, any number of streams pass it on.

Server-sent events instead of Gradio's generators: a silent viewer costs nothing (no yields to keep it alive), the
browser reconnects by itself where Gradio reloads the page, and what was read is encoded once for all viewers.
`bench/ui.py` compares both.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import FanslymotionError, NotFound
from ..queue.jobs import Jobs
from ..queue.types import Event, Job
from .shape import event_json

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
MACHINE_SECONDS = 0.5
"""How often workers and waiting line are looked at when something has been written."""
IDLE_SECONDS = 2.0
"""How often everything is looked at when nothing was written: a worker that died writes nothing."""
KEEP_ALIVE_SECONDS = 15.0
"""A comment line, so that proxies do not close a silent stream."""
RETRY_MILLISECONDS = 1000
FIRST_LINES = 2000
"""The newest log lines that a new viewer gets."""
BATCH = 500

ShapeJob = Callable[[Job], dict[str, Any]]
ShapeMachine = Callable[[str | None], dict[str, Any]]


@dataclass(eq=False)
class Viewer:
    """One open stream. `seen`: id of the last event it has, None until its first read."""

    owner: str | None
    job_id: str | None
    seen: int | None = None
    job: str = ""
    machine: str = ""
    trouble: str = ""
    events: list[tuple[int, str]] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> str:
        """All that is pending, as one text of server-sent events; log lines before the state that follows them.

        Call it with the lock held: the reader thread appends.
        """
        parts = []
        seen = self.seen or 0
        fresh = [(number, text) for number, text in self.events if number > seen]
        self.events.clear()
        if fresh:
            self.seen = fresh[-1][0]
            parts.append(_message("log", f"[{','.join(text for _, text in fresh)}]", self.seen))
        for name in ("job", "machine", "trouble"):
            if text := getattr(self, name):
                parts.append(_message(name, text))
                setattr(self, name, "")
        return "".join(parts)


@dataclass
class Feed:
    """One followed job. `after`: id of the last event read for all its viewers."""

    after: int
    revision: int = -1


class Live:
    """The reader thread runs while somebody watches. All other methods belong to the event loop's thread."""

    def __init__(self, jobs: Jobs, shape_job: ShapeJob, shape_machine: ShapeMachine) -> None:
        self._jobs = jobs
        self._shape_job = shape_job
        self._shape_machine = shape_machine
        self._viewers: set[Viewer] = set()
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()
        self._watched = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        self._watched.set()
        for viewer in self._viewers:
            viewer.wake.set()

    async def stream(self, owner: str | None, job_id: str | None, after: int = 0) -> AsyncIterator[str]:
        """Server-sent events `job`, `log`, `machine`, `trouble` until the page closes or the server stops."""
        viewer = Viewer(owner, job_id)
        self._join(viewer)
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n"
            await asyncio.to_thread(self._first_read, viewer, after)
            while not self._closed:
                with self._lock:
                    text = viewer.take()
                if text:
                    yield text
                try:
                    await asyncio.wait_for(viewer.wake.wait(), KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                viewer.wake.clear()
        finally:
            self._leave(viewer)

    def _join(self, viewer: Viewer) -> None:
        self._loop = asyncio.get_running_loop()
        with self._lock:
            self._viewers.add(viewer)
        if self._thread is None:
            self._thread = threading.Thread(target=self._read_forever, name="live", daemon=True)
            self._thread.start()
        self._watched.set()

    def _leave(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers.discard(viewer)
            if not any(v.job_id == viewer.job_id for v in self._viewers):
                self._feeds.pop(viewer.job_id or "", None)
            if not self._viewers:
                self._watched.clear()

    def _first_read(self, viewer: Viewer, after: int) -> None:
        """Everything up to now. What the reader thread adds meanwhile is sorted out by event id in `take`."""
        try:
            viewer.machine = viewer.machine or _encode(self._shape_machine(viewer.owner))
            if viewer.job_id is None:
                return
            job, events = self._jobs.snapshot(viewer.job_id, after, BATCH)
            while len(events) % BATCH == 0 and events:
                more = self._jobs.events_since(job.id, events[-1].id, BATCH)
                if not more:
                    break
                events += more
        except FanslymotionError as e:
            viewer.trouble = _encode({"error": str(e)})
            return
        newest = events[-1].id if events else after
        known = [(e.id, _encode(event_json(e))) for e in events[-FIRST_LINES:]]
        with self._lock:
            self._feeds.setdefault(job.id, Feed(newest, job.revision))
            viewer.events = known + [pending for pending in viewer.events if pending[0] > newest]
            viewer.seen = after
            viewer.job = viewer.job or _encode(self._shape_job(job))

    # --- the reader thread --------------------------------------------------------------------------------------

    def _read_forever(self) -> None:
        revision, looked, machine_looked = -1, 0.0, 0.0
        machines: dict[str | None, str] = {}
        while not self._closed:
            self._watched.wait()
            began = time.monotonic()
            try:
                now_revision = self._jobs.revision()
                changed = now_revision != revision or now_revision == 0
                if changed or began - looked >= IDLE_SECONDS:
                    revision, looked = now_revision, began
                    self._read_jobs()
                    machine_due = True
                else:
                    machine_due = machine_looked < looked
                if machine_due and began - machine_looked >= MACHINE_SECONDS:
                    machine_looked = began
                    self._read_machine(machines)
            except FanslymotionError as e:
                log.warning("%s", e)
                self._tell_all("trouble", _encode({"error": str(e)}))
                time.sleep(1.0)
            except Exception:
                log.exception("the page's reader goes on after an error")
                time.sleep(1.0)
            time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - began)))

    def _read_jobs(self) -> None:
        with self._lock:
            feeds = dict(self._feeds)
        for job_id, feed in feeds.items():
            try:
                job, events = self._jobs.snapshot(job_id, feed.after, BATCH)
            except NotFound:
                self._forget(job_id)
                continue
            if events or job.revision != feed.revision:
                self._tell(job_id, job if job.revision != feed.revision else None, events)
                if events:
                    feed.after = events[-1].id
                feed.revision = job.revision

    def _tell(self, job_id: str, job: Job | None, events: list[Event]) -> None:
        state = _encode(self._shape_job(job)) if job else ""
        lines = [(e.id, _encode(event_json(e))) for e in events]
        with self._lock:
            viewers = [v for v in self._viewers if v.job_id == job_id]
            for viewer in viewers:
                viewer.events += lines
                del viewer.events[: -2 * FIRST_LINES]
                viewer.job = state or viewer.job
        self._wake(viewers)

    def _forget(self, job_id: str) -> None:
        """The job was deleted."""
        with self._lock:
            self._feeds.pop(job_id, None)
            viewers = [v for v in self._viewers if v.job_id == job_id]
            for viewer in viewers:
                viewer.job = _encode({"id": job_id, "status": "deleted"})
        self._wake(viewers)

    def _read_machine(self, known: dict[str | None, str]) -> None:
        with self._lock:
            viewers = list(self._viewers)
        texts = {owner: _encode(self._shape_machine(owner)) for owner in {v.owner for v in viewers}}
        news = [v for v in viewers if known.get(v.owner) != texts[v.owner]]
        for viewer in news:
            viewer.machine = texts[viewer.owner]
        known.clear()
        known.update(texts)
        self._wake(news)

    def _tell_all(self, name: str, text: str) -> None:
        with self._lock:
            viewers = list(self._viewers)
        for viewer in viewers:
            setattr(viewer, name, text)
        self._wake(viewers)

    def _wake(self, viewers: list[Viewer]) -> None:
        if viewers and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_set_all, viewers)


def _set_all(viewers: list[Viewer]) -> None:
    for viewer in viewers:
        viewer.wake.set()


def _encode(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _message(name: str, text: str, number: int | None = None) -> str:
    first = f"id: {number}\n" if number is not None else ""
    return f"{first}event: {name}\ndata: {text}\n\n"
