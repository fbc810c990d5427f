"""Adapt requests of reverse proxies and monitors: a path prefix, and HEAD."""

import asyncio

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..auth.ended_sessions import run_until


class Front:
    """ASGI middleware in front of all others.

    A path under `root_path` is served without that prefix; other paths unchanged, because many proxies strip the
    prefix. HEAD is answered as GET without the body (RFC 9110, 9.3.2), because FastAPI's routes accept only GET.

    Args:
        app: The other middlewares and the routes.
        root_path: As returned by `parse_root_path`; "" = none.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self._app, self._root = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._root and scope["path"] == self._root:
            asked = scope.get("query_string", b"").decode("latin-1")
            to = f"{self._root}/?{asked}" if asked else f"{self._root}/"
            await RedirectResponse(to, status_code=308)(scope, receive, send)
        elif scope["method"] == "HEAD":
            await _headers_only(self._app, {**self._below(scope), "method": "GET"}, receive, send)
        else:
            await self._app(self._below(scope), receive, send)

    def _below(self, scope: Scope) -> Scope:
        root = self._root
        if not root or not scope["path"].startswith(f"{root}/"):
            return scope
        raw = scope.get("raw_path") or b""
        return {**scope, "path": scope["path"][len(root) :], "raw_path": raw.removeprefix(root.encode())}


async def _headers_only(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a GET's headers, and end at its first byte: a stream has no end of its own."""
    headers_sent = asyncio.Event()

    async def sending(message: Message) -> None:
        if headers_sent.is_set():
            return
        if message["type"] == "http.response.start":
            await send(message)
        elif message["type"] == "http.response.body":
            headers_sent.set()
            await send({"type": "http.response.body", "body": b""})

    await run_until(headers_sent, app, scope, receive, sending)
