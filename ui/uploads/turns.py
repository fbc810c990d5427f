"""Share something that only one task may use at a time fairly between logins."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from threading import Lock


class Turns:
    """Grant one turn at a time. Owners alternate, so that one photo does not wait for another owner's hundred.

    Waiting needs no thread. Works across event loops.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._busy = False
        self._waiting: OrderedDict[str, deque[Future[None]]] = OrderedDict()
        """By owner; the owner at the front is the next."""

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it during the block."""
        ticket = self._ask(owner)
        try:
            await asyncio.wrap_future(ticket)
        except asyncio.CancelledError:
            if not ticket.cancel():  # given at the same moment
                self._leave()
            raise
        try:
            yield
        finally:
            self._leave()

    def _ask(self, owner: str) -> "Future[None]":
        ticket: Future[None] = Future()
        with self._lock:
            if self._busy:
                self._waiting.setdefault(owner, deque()).append(ticket)
            else:
                self._busy = True
                ticket.set_result(None)
        return ticket

    def _leave(self) -> None:
        with self._lock:
            while self._waiting:
                owner, tickets = next(iter(self._waiting.items()))
                ticket = tickets.popleft()
                if tickets:
                    self._waiting.move_to_end(owner)
                else:
                    del self._waiting[owner]
                if ticket.set_running_or_notify_cancel():  # False: who asked has gone
                    ticket.set_result(None)
                    return
            self._busy = False
