"""Refuse sessions that were logged out, also after a restart and by another page on the same folder.

A session is a signed token in the browser, so the server has to remember the ended ones.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...fs import write_whole

log = logging.getLogger(__name__)

MOST_KEPT = 10_000
"""Of the marks on the disk; the oldest go first. A session ends by itself after 30 days."""


class EndedSessions:
    """Remember ended sessions, in empty files of `folder` named by the token's hash. None: in this process only."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: set[str] = set()
        self._open: dict[str, set[asyncio.Event]] = {}

    def end(self, token: str) -> None:
        """End a session. Call it in the event loop's thread, with a valid token only: others would fill the folder."""
        name = _name(token)
        self._known.add(name)
        for event in self._open.get(name, ()):
            event.set()
        if self._folder is None:
            return
        try:
            write_whole(self._folder / name, b"")
            for path in sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_KEPT]:
                path.unlink(missing_ok=True)
        except OSError as e:
            log.warning("A logout holds only until the page is started again: %s (%s)", self._folder, e.strerror or e)

    def __contains__(self, token: str) -> bool:
        name = _name(token)
        return name in self._known or (self._folder is not None and (self._folder / name).exists())

    @contextmanager
    def watched(self, token: str) -> Iterator[asyncio.Event]:
        """Return an event that is set when the session ends meanwhile."""
        name, event = _name(token), asyncio.Event()
        self._open.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            self._open[name].discard(event)
            if not self._open[name]:
                del self._open[name]


async def run_until(ended: asyncio.Event, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the app until `ended` is set: then it is told that its client has disconnected, and a stream ends."""
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
