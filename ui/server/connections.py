"""Limit the duration and number of connections that send requests slowly, partly or not at all.

uvicorn has no such limits. Without them one client can use up all of the process's file handles with connections that
never finish a request.
"""

import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

RESERVED_HANDLES = 56
"""For files, the database and the worker's pipes: 26 were measured at rest, 48 while eight browsers send photos."""
MOST_HANDLES = 65536
SELECTABLE = 512
"""Windows: the event loop ends for ever with a ValueError when it has more sockets (see `event_loop` in serve.py)."""


@dataclass(frozen=True)
class Limits:
    """How slowly a connection may send.

    A body may take `silence` seconds, plus one for each `slowest` bytes of it: the page's largest (300 MB) a day, a
    login form 34 s.

    Attributes:
        head: Seconds for a request's first line and headers, from the connection's or their own first byte.
        silence: Seconds without a byte within a body.
        slowest: Bytes per second of a body.
    """

    head: float = 20.0
    silence: float = 30.0
    slowest: float = 4096.0


@dataclass
class Progress:
    """Progress of a request's head or body.

    Attributes:
        heard: Time of its last byte, in the event loop's seconds.
        begun: Time of its first byte.
        received: Bytes so far.
    """

    heard: float
    begun: float
    received: int = 0

    def begin(self, now: float) -> None:
        """Start with a new head or body."""
        self.begun, self.received = now, 0

    def take(self, size: int, now: float) -> None:
        """Count received bytes."""
        self.heard = now
        self.received += size

    def stand_still(self, now: float, limits: Limits) -> None:
        """Record that the server reads nothing now. A body keeps only the time that it has earned so far."""
        self.heard, self.begun = now, now - self.received / limits.slowest

    def head_late(self, now: float, limits: Limits) -> bool:
        """Tell whether the head takes too long."""
        return now - self.begun > limits.head

    def body_late(self, now: float, limits: Limits) -> bool:
        """Tell whether the body takes too long."""
        earned = limits.silence + self.received / limits.slowest
        return now - self.heard > limits.silence or now - self.begun > earned


class LimitedProtocol(H11Protocol):
    """uvicorn's protocol with limits. `sweep` and `make_room` close connections that exceed them."""

    limits = Limits()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.progress = Progress(self.loop.time(), self.loop.time())
        self._resting = False
        """Between two requests: uvicorn's own limit (`timeout_keep_alive`) counts."""

    @property
    def waiting(self) -> bool:
        """Whether the server waits for a request or the rest of one. False while it reads nothing."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self.flow.read_paused

    def connection_made(self, transport: Any) -> None:
        """Start measuring a new connection."""
        super().connection_made(transport)
        make_room(self, self.connections)

    def data_received(self, data: bytes) -> None:
        """Measure received bytes."""
        before, now = self.conn.their_state, self.loop.time()
        if self._resting:
            self._resting = False
            self.progress.begin(now)
        super().data_received(data)
        self.progress.take(len(data), now)
        if self.conn.their_state is not before:
            self.progress.begin(now)

    def on_response_complete(self) -> None:
        """Start measuring the next request."""
        super().on_response_complete()
        self.progress.begin(self.loop.time())
        self._resting = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def late(self, now: float) -> bool:
        """Tell whether the connection exceeds a limit. now: the event loop's time."""
        if self.flow.read_paused:
            self.progress.stand_still(now, self.limits)
        if not self.waiting or self._resting:
            return False
        if self.conn.their_state is h11.IDLE:
            return self.progress.head_late(now, self.limits)
        return self.progress.body_late(now, self.limits)


def with_limits(limits: Limits) -> type[LimitedProtocol]:
    """Return the protocol with these limits."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits})


def sweep(connections: Iterable[Any], now: float) -> None:
    """Close late connections. Call it about every second. now: the event loop's time."""
    for connection in [one for one in connections if one.late(now)]:
        connection.transport.abort()


def make_room(new: LimitedProtocol, connections: Collection[Any]) -> None:
    """Close the connection that was silent longest if too many wait for a request or are open.

    Browsers and scripts send a request at once, so theirs is rarely the one. Waiting connections get half of all
    places, those of one address a quarter. Behind a share link's tunnel all have the same address.
    """
    places = most_open()
    there = [one for one in connections if not one.transport.is_closing()]
    waiting = [one for one in there if one.waiting]
    here = [one for one in waiting if one.client and new.client and one.client[0] == new.client[0]]
    if len(here) > places // 4:
        _longest_silent(here).transport.abort()
    elif len(waiting) > places // 2 or len(there) > places:
        _longest_silent(waiting).transport.abort()


def _longest_silent(connections: Iterable[Any]) -> Any:
    return min(connections, key=lambda one: one.progress.heard)


def most_open(system: str = sys.platform) -> int:
    """Return how many connections the process has file handles for, or its event loop can watch."""
    return max(8, _handles(system) - RESERVED_HANDLES)


def _handles(system: str) -> int:
    if system == "win32":
        return SELECTABLE
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_HANDLES if soft == resource.RLIM_INFINITY else min(soft, MOST_HANDLES)


def raise_handle_limit() -> None:
    """Raise the limit of file handles as far as the system allows; the default is often 1024."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_HANDLES if hard == resource.RLIM_INFINITY else min(hard, MOST_HANDLES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS and containers refuse what a limit of the whole system forbids
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
