"""Refuse sessions that were logged out, also after a restart and by another page on the same data folder.

A session is a signed token in the browser, so the server must remember the ended ones.
"""

import asyncio
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...fs import write_whole

log = logging.getLogger(__name__)

MOST_KEPT = 10_000
"""Of the marks on the disk; the oldest go first. A session ends by itself after 30 days."""
LOOK_SECONDS = 2.0
"""Between two looks for what another page on the same folder has ended."""


class EndedSessions:
    """Remember ended sessions in empty files, named by the token's hash.

    Lookups read no disk, because it may be a network share that is slow or away.

    Args:
        folder: The files' folder; None = in this process only.
        now: Monotonic seconds.
    """

    def __init__(self, folder: Path | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._now = folder, now
        self._known: set[str] = set()
        self._open: dict[str, set[asyncio.Event]] = {}
        self._looking = threading.Lock()
        self._looked = now()
        if folder is not None:
            self._read(folder)

    def end(self, token: str) -> None:
        """End a session. Call it in the event loop's thread, with a valid token only: others would fill the folder."""
        name = _name(token)
        self._known.add(name)
        for event in self._open.get(name, ()):
            event.set()

    def keep(self, token: str) -> None:
        """Write the mark of an ended session to the disk."""
        if self._folder is None:
            return
        try:
            write_whole(self._folder / _name(token), b"")
            for path in sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_KEPT]:
                path.unlink(missing_ok=True)
        except OSError as e:
            log.warning("A logout holds only until the page is started again: %s (%s)", self._folder, e.strerror or e)

    def __contains__(self, token: str) -> bool:
        due = self._now() - self._looked >= LOOK_SECONDS
        if self._folder is not None and due and self._looking.acquire(blocking=False):
            self._looked = self._now()
            threading.Thread(target=self._look, args=(self._folder,), name="ended sessions", daemon=True).start()
        return _name(token) in self._known

    def _look(self, folder: Path) -> None:
        try:
            self._read(folder)
        finally:
            self._looking.release()

    def _read(self, folder: Path) -> None:
        with suppress(OSError):  # none has ended yet, or the disk is away: what is known stays
            self._known.update(os.listdir(folder))

    @contextmanager
    def watched(self, token: str) -> Iterator[asyncio.Event]:
        """Return an event that is set when the session ends."""
        name, event = _name(token), asyncio.Event()
        self._open.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            self._open[name].discard(event)
            if not self._open[name]:
                del self._open[name]


async def run_until(ended: asyncio.Event, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the app until `ended` is set. It is then told that its client has disconnected, so that streams end."""
    begun = complete = False

    async def receiving() -> Message:
        if not ended.is_set():
            over, message = asyncio.ensure_future(ended.wait()), asyncio.ensure_future(receive())
            try:
                await asyncio.wait({over, message}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.is_set():
                    return message.result()
            finally:
                over.cancel()
                message.cancel()
        return {"type": "http.disconnect"}

    async def sending(message: Message) -> None:
        nonlocal begun, complete
        begun = True
        complete = message["type"] == "http.response.body" and not message.get("more_body", False)
        await send(message)

    await app(scope, receiving, sending)
    if ended.is_set() and begun and not complete:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _name(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()[:32]
