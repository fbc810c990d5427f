"""Compress text: the page, its scripts, styles and texts, and JSON."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

TEXTS = (
    "/studio/static/",
    "/studio/locales/",
    "/studio/options",
    "/studio/estimate",
    "/studio/system",
    "/studio/doctor",
)
"""Paths that begin so. Videos, photos and streams are compressed already, or must not wait."""
PAGES = ("/", "/login")


class CompressedText:
    """ASGI middleware that compresses text if the browser accepts it. Gradio compresses its own files."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain, self._compressed = app, GZipMiddleware(app, minimum_size=500, compresslevel=7)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["method"] != "GET" or "range" in Headers(scope=scope):
            await self._plain(scope, receive, send)
            return
        path = scope["path"]
        app = self._compressed if path in PAGES or path.startswith(TEXTS) else self._plain
        await app(scope, receive, send)
