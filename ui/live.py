"""Push state changes to every open page: one thread reads the store for any number of streams.

Server-sent events instead of Gradio's generators: an idle viewer costs nothing (no yields to keep it alive), the
browser reconnects by itself where Gradio reloads the page, and each state is encoded once for all viewers.
`bench/ui.py` compares both.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import FanslymotionError, NotFound
from ..queue.error_throttle import ErrorThrottle
from ..queue.jobs import Jobs
from ..queue.store.records import is_lost
from ..queue.types import Event, Job
from .error_response import in_each_language

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
MACHINE_SECONDS = 0.5
"""How often workers and waiting line are looked at when something has been written."""
IDLE_SECONDS = 2.0
"""How often everything is looked at when nothing was written: a worker that died writes nothing."""
KEEP_ALIVE_SECONDS = 15.0
"""An event without content: proxies do not close a silent stream, and the page can tell it from a dead one."""
RETRY_MILLISECONDS = 1000
FIRST_LINES = 2000
"""The newest log lines that a new viewer gets."""
BATCH = 500

UNTOLD = (-1, 0)
"""`Viewer.job_told` of a viewer that follows a job and was told nothing of it."""
AGAIN_SECONDS = 1.0
"""After a look at the store that failed."""


class View(Protocol):
    """Serialise what a stream sends. A login of None is a page without logins."""

    def job(self, job: Job) -> dict[str, Any]:
        """Return a job as its own login sees it."""
        ...

    def event(self, job: Job, event: Event) -> list[Any]:
        """Return an event of a job: [id, time, kind, level, text]."""
        ...

    def machine(self, owner: str | None) -> dict[str, Any]:
        """Return workers and waiting line as a login sees them."""
        ...

    def plain(self, user: str | None, said: Any) -> Any:
        """Return sentences as a login may read them: without folders, unless the machine is theirs."""
        ...


@dataclass(eq=False)
class Viewer:
    """One open stream, and what is pending for it. Accessed with `Live`'s lock held.

    A state is sent if it differs from what this viewer was given: another viewer may have been given a newer or older
    one.

    Attributes:
        owner: The login; None on a page without logins.
        job_id: The job that it follows; None for the machine's state alone.
        troubled: It was told that the store does not answer.
        seen: Id of the last event sent; None until its first read.
        heard: Id of the last event given, sent or pending.
        job: The job's newest pending state, encoded; "" = none.
        job_told: Revision of the job's row and its place in the queue as last given. None: the job is gone, or it
            follows none. Other jobs change the place, not the revision.
        machine: The machine's newest pending state, as `job`.
        machine_told: The machine's state as last given, encoded.
        trouble: Pending sentence about the store.
        events: Pending events (id, encoded).
        wake: Set when something is pending.
    """

    owner: str | None
    job_id: str | None
    troubled: bool = False
    seen: int | None = None
    heard: int = 0
    job: str = ""
    job_told: tuple[int, int] | None = None
    machine: str = ""
    machine_told: str = ""
    trouble: str = ""
    events: list[tuple[int, str]] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> str:
        """Return and clear what is pending, as server-sent events; log lines before the state that follows them.

        Call it with the lock held: the reader thread appends. Before the first read only trouble is sent.
        """
        parts = []
        if self.seen is not None:
            fresh, before = [], self.seen
            for number, text in self.events:
                if number > self.seen:  # first read and reader thread may both have brought it
                    self.seen = number
                    fresh.append(text)
            self.events.clear()
            if self.seen != before:
                parts.append(_message("log", f"[{','.join(fresh)}]", self.seen))
        for name in ("job", "machine", "trouble") if self.seen is not None else ("trouble",):
            if text := getattr(self, name):
                parts.append(_message(name, text))
                setattr(self, name, "")
        return "".join(parts)


class Live:
    """The streams of all open pages, and the thread that reads the store for them.

    The thread runs while a stream is open. All methods except its own belong to the event loop's thread.
    """

    def __init__(self, jobs: Jobs, view: View) -> None:
        self._jobs = jobs
        self._view = view
        self._viewers: set[Viewer] = set()
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
        """Yield server-sent events `job`, `log`, `machine`, `trouble`, `alive` until page or server ends.

        Args:
            owner: The login; None on a page without logins.
            job_id: The job to follow; None for the machine's state alone.
            after: Id of the last event that the page has.
        """
        viewer = Viewer(owner, job_id)
        self._join(viewer)
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n"
            known, due = False, 0.0
            while not self._closed:
                if not known and time.monotonic() >= due:  # news wakes, but is no reason to ask sooner
                    known = await asyncio.to_thread(self._first_read, viewer, after)
                    due = time.monotonic() + AGAIN_SECONDS
                viewer.wake.clear()  # before what is pending is taken: the trouble of a failed read has set it, too
                if self._closed:
                    break
                with self._lock:
                    text = viewer.take()
                if text:
                    yield text
                pause = KEEP_ALIVE_SECONDS if known else max(0.0, due - time.monotonic())
                try:
                    await asyncio.wait_for(viewer.wake.wait(), pause)
                except TimeoutError:
                    yield _message("alive", "{}")
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
            if not self._viewers:
                self._watched.clear()

    def _first_read(self, viewer: Viewer, after: int) -> bool:
        """Read everything up to now. Return False if the store does not answer.

        Until then the reader thread gives a viewer nothing of its job; its state of the machine is newer and stays.
        """
        job, told, known, heard = "", None, [], after
        try:
            machine = _encode(self._view.machine(viewer.owner))
            if viewer.job_id is not None:
                job, told, known, heard = self._follow(viewer.job_id, after)
        except FanslymotionError as e:
            self._tell_trouble([viewer], e.message)
            return False
        if viewer.troubled:
            self._tell_trouble([viewer], "")
        with self._lock:
            viewer.machine = viewer.machine_told = viewer.machine or machine
            viewer.job, viewer.job_told, viewer.events = job, told, known
            viewer.seen, viewer.heard = after, heard
        return True

    def _follow(self, job_id: str, after: int) -> tuple[str, tuple[int, int] | None, list[tuple[int, str]], int]:
        """Return a job's state, its revision and place, its newest events above `after`, and the id of the last one."""
        try:
            job, events = self._jobs.snapshot(job_id, after, BATCH)
        except NotFound:  # deleted since the stream was asked for
            return ("", UNTOLD, [], after) if self._is_lost(job_id) else (_gone(job_id), None, [], after)
        while events and len(events) % BATCH == 0:
            more = self._jobs.events_since(job.id, events[-1].id, BATCH)
            if not more:
                break
            events += more
        newest = events[-1].id if events else after
        known = [(event.id, _encode(self._view.event(job, event))) for event in events[-FIRST_LINES:]]
        return _encode(self._view.job(job)), (job.revision, job.place), known, newest

    def _is_lost(self, job_id: str) -> bool:
        return is_lost(self._jobs.settings.job_dir(job_id))

    # --- the reader thread --------------------------------------------------------------------------------------

    def _read_forever(self) -> None:
        revision, looked, machine_looked, troubled = -1, 0.0, 0.0, False
        throttle = ErrorThrottle(log)
        while not self._closed:
            self._watched.wait()
            began = time.monotonic()
            try:
                now_revision = self._jobs.revision()
                changed = now_revision != revision or now_revision == 0
                if changed or began - looked >= IDLE_SECONDS:
                    self._read_jobs()
                    revision, looked = now_revision, began
                    if troubled:
                        troubled = False
                        self._tell_trouble(self._everybody(), "")
                if machine_looked < looked and began - machine_looked >= MACHINE_SECONDS:
                    machine_looked = began
                    self._read_machine()
            except FanslymotionError as e:
                throttle.log(e)
                troubled, looked = True, 0.0
                self._tell_trouble(self._everybody(), e.message)
                time.sleep(AGAIN_SECONDS)
            except Exception:
                log.exception("the page's reader goes on after an error")
                time.sleep(AGAIN_SECONDS)
            time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - began)))

    def _read_jobs(self) -> None:
        """Read each followed job once, for the viewers that were past their first read before: later ones are newer."""
        followers: dict[str, list[Viewer]] = {}
        with self._lock:
            for viewer in self._viewers:
                if viewer.job_id is not None and viewer.job_told is not None:
                    followers.setdefault(viewer.job_id, []).append(viewer)
        for job_id, viewers in followers.items():
            try:
                job, events = self._jobs.snapshot(job_id, min(viewer.heard for viewer in viewers), BATCH)
            except NotFound:
                if not self._is_lost(job_id):
                    self._forget(job_id, viewers)
                continue
            self._tell(viewers, job, events)

    def _tell(self, viewers: list[Viewer], job: Job, events: list[Event]) -> None:
        """Give each viewer of a job what it does not have yet."""
        told, newest = (job.revision, job.place), events[-1].id if events else 0
        stale = [viewer for viewer in viewers if viewer.job_told != told]
        behind = [viewer for viewer in viewers if viewer.heard < newest]
        state = _encode(self._view.job(job)) if stale else ""
        lines = [(event.id, _encode(self._view.event(job, event))) for event in events] if behind else []
        with self._lock:
            for viewer in stale:
                viewer.job, viewer.job_told = state, told
            for viewer in behind:
                viewer.events += [line for line in lines if line[0] > viewer.heard]
                viewer.heard = newest
                del viewer.events[: -2 * FIRST_LINES]
        self._wake([*stale, *behind])

    def _forget(self, job_id: str, viewers: list[Viewer]) -> None:
        """Tell viewers of a job that it was deleted."""
        with self._lock:
            for viewer in viewers:
                viewer.job, viewer.job_told = _gone(job_id), None
        self._wake(viewers)

    def _read_machine(self) -> None:
        """Give the machine's state to each viewer that has another one: its first read may be out of date."""
        with self._lock:
            owners = {viewer.owner for viewer in self._viewers}
        texts = {owner: _encode(self._view.machine(owner)) for owner in owners}
        with self._lock:
            news = [v for v in self._viewers if texts.get(v.owner, v.machine_told) != v.machine_told]
            for viewer in news:
                viewer.machine = viewer.machine_told = texts[viewer.owner]
        self._wake(news)

    def _tell_trouble(self, viewers: list[Viewer], sentence: str) -> None:
        """Tell viewers about the store. sentence: "" when it answers again."""
        with self._lock:
            for viewer in viewers:
                viewer.troubled = bool(sentence)
                viewer.trouble = _encode({"error": self._view.plain(viewer.owner, in_each_language(sentence))})
        self._wake(viewers)

    def _everybody(self) -> list[Viewer]:
        with self._lock:
            return list(self._viewers)

    def _wake(self, viewers: list[Viewer]) -> None:
        if viewers and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_set_all, viewers)


def _set_all(viewers: list[Viewer]) -> None:
    for viewer in viewers:
        viewer.wake.set()


def _gone(job_id: str) -> str:
    return _encode({"id": job_id, "status": "deleted"})


def _encode(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _message(name: str, text: str, number: int | None = None) -> str:
    first = f"id: {number}\n" if number is not None else ""
    return f"{first}event: {name}\ndata: {text}\n\n"
