"""The door of every route, ours and Gradio's: logins, foreign web pages, and headers that keep the page to itself.

Gradio's own `auth` covers only its own routes, so that one middleware in front of everything decides.
"""

import base64
import binascii
from collections.abc import Collection
from http.cookies import SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .logins import Logins

COOKIE = "fanslymotion_session"
USER = "fanslymotion.user"
"""The key of the ASGI scope that holds the login of a request; "" on a page without logins."""

PUBLIC = ("/login", "/logout", "/studio/static/", "/studio/locales/", "/favicon.ico", "/robots.txt")
OURS = ("/studio/", "/login", "/logout")
GRADIO_ROUTES = (
    "/assets/",
    "/static/",
    "/theme.css",
    "/manifest.json",
    "/gradio_api/app_id",
    "/config",
    "/gradio_api/info",
    "/gradio_api/queue/",
    "/gradio_api/call/",
    "/gradio_api/upload",
    "/gradio_api/heartbeat/",
    "/gradio_api/startup-events",
    "/gradio_api/cancel",
    "/gradio_api/reset",
)
"""What the page and a `gradio_client` need. Gradio's other routes (proxy, vibe editor, …) do not exist here."""

LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}

# Inline and eval are Gradio's own ways of filling its page; ours writes text only as text.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


class Guard:
    """ASGI middleware. host: the address the server was bound to."""

    def __init__(self, app: ASGIApp, logins: Logins, host: str) -> None:
        self._app = app
        self._logins = logins
        self._hosts = LOCAL_NAMES | {host.strip("[]").lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """Why a request goes no further; otherwise the login is noted in the scope."""
        headers, path = Headers(scope=scope), scope["path"]
        if not self._logins.required and _hostname(headers.get("host", "")) not in self._hosts:
            # A web page elsewhere can point its own name at 127.0.0.1 (DNS rebinding); its name gives it away.
            return _error(421, "This page answers only to its local address; open it as http://127.0.0.1.")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and _is_foreign(headers):
            return _error(403, "Another web page tried to act in your name; that was refused.")
        if not _exists(path):
            return _error(404, "There is no such page here.")
        user = self._user(headers, scope) if self._logins.required else ""
        if user is None and not path.startswith(PUBLIC):
            return _ask_to_log_in(scope, headers)
        scope[USER] = user or ""
        return None

    def _user(self, headers: Headers, scope: Scope) -> str | None:
        cookies = SimpleCookie()
        cookies.load(headers.get("cookie", ""))
        if COOKIE in cookies and (user := self._logins.session_user(cookies[COOKIE].value)):
            return user
        return self._basic(headers.get("authorization", ""), address_of(scope))

    def _basic(self, header: str, address: str) -> str | None:
        """HTTP Basic, for scripts: `curl -u user:password …`."""
        kind, _, value = header.partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if self._logins.brake.wait(user, address) > 0:
            return None
        if self._logins.check(user, password):
            self._logins.brake.succeeded(user, address)
            return user
        self._logins.brake.failed(user, address)
        return None


def address_of(scope: Scope) -> str:
    """The network address a request came from. Proxies' own headers are not believed: anybody can write them."""
    client = scope.get("client")
    return client[0] if client else ""


def _exists(path: str, routes: Collection[str] = (*PUBLIC, *OURS, *GRADIO_ROUTES)) -> bool:
    return path == "/" or path.startswith(tuple(routes))


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_foreign(headers: Headers) -> bool:
    """Whether a changing request comes from another web page. Scripts send no Origin."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    netloc = urlsplit(origin).netloc.lower() if origin != "null" else None
    # A cross-site page cannot add X-Forwarded-Host without a preflight, which nobody here answers.
    return netloc not in {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()} - {""}


def _ask_to_log_in(scope: Scope, headers: Headers) -> Response:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(wanted)}", status_code=303)
    return _error(401, "Log in first.")


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status_code=status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "same-origin")
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
