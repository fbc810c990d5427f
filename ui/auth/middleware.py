"""Guard every route, ours and Gradio's: check logins, refuse requests of other web pages, set security headers.

Gradio's own `auth` covers only its own routes, so one middleware in front of all routes decides.
"""

import base64
import math
import re
from collections.abc import Collection, Mapping
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...messages import msg
from ...pipeline.media.photo.load import MAX_BYTES
from ..error_response import error_response
from ..page_files.static_files import FOR_GOOD
from .ended_sessions import run_until
from .logins import Logins
from .origin import refuse_host, refuse_origin

COOKIE = "fanslymotion_session"
MARK = "fanslymotion_known"
"""Cookies: who is logged in, and whose password was right in this browser before."""
USER = "fanslymotion.user"
"""Key of the login in the ASGI scope; "" on a page without logins."""
SESSION = "fanslymotion.session"
"""Key of the session's token in the ASGI scope; "" for scripts that send a password, and on a page without logins."""

# Paths as a whole, or, with a slash at the end, all that begin so.
PUBLIC = ("/login", "/logout", "/studio/static/", "/studio/locales/", "/favicon.ico", "/robots.txt")
OURS = ("/", "/studio/")
GRADIO_ROUTES = (
    "/assets/",
    "/static/",
    "/theme.css",
    "/manifest.json",
    "/gradio_api/app_id",
    "/config",
    "/gradio_api/info",
    "/gradio_api/queue/join",
    "/gradio_api/queue/data",
    "/gradio_api/call/",
    "/gradio_api/upload",
    "/gradio_api/heartbeat/",
    "/gradio_api/startup-events",
    "/gradio_api/cancel",
    "/gradio_api/reset",
)
"""What the page and a `gradio_client` need. Gradio's other routes (proxy, vibe editor, …) do not exist here."""

HASHED = "/assets/"
"""Gradio's own scripts and styles, each named by a hash of its content: what is under one name never changes."""

MOST_BODY_BYTES = 1 << 20
BODY_BYTES = {
    "/studio/photos": math.inf,
    "/studio/settings": math.inf,
    "/gradio_api/upload": MAX_BYTES + MOST_BODY_BYTES,
}
"""For the places that take files; the first two count for themselves and name the file in their answer."""

LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}

LONGEST_NAME = 255
"""Bytes between two slashes of a path."""
HOST = re.compile(r"([\w.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")

# Inline and eval are Gradio's own ways of filling its page; ours has its styles inline, and writes text only as text.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)

NO_PAGE = msg("This page does not exist.")
MALFORMED = msg("This request is malformed.")


class Guard:
    """ASGI middleware that guards every route. host: the address that the server is bound to."""

    def __init__(self, app: ASGIApp, logins: Logins, host: str) -> None:
        self._app = app
        self._logins = logins
        self._hosts = LOCAL_NAMES | {host.strip("[]").lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request: refuse it, or pass it to the app with the security headers."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = _with_headers(send, scope["path"])
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, answer)
        else:
            app = _Measured(self._app, BODY_BYTES.get(scope["path"], MOST_BODY_BYTES))
            if scope["method"] != "GET" or not scope[SESSION]:
                await app(scope, receive, answer)
                return
            with self._logins.ended.watched(scope[SESSION]) as ended:  # a stream ends when its browser logs out
                await run_until(ended, app, scope, receive, answer)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a refused request, or None after noting the login in the scope."""
        headers, path = Headers(scope=scope), scope["path"]
        if not self._logins.required and _hostname(headers.get("host", "")) not in self._hosts:
            # A web page elsewhere can point its own name at 127.0.0.1 (DNS rebinding); its name gives it away.
            return error_response(scope, 421, refuse_host(headers.get("host", "")))
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and (foreign := refuse_origin(headers)):
            return error_response(scope, 403, foreign)
        if not _among(path, (*PUBLIC, *OURS, *GRADIO_ROUTES)):
            return error_response(scope, 404, NO_PAGE)
        if not _is_well_formed(headers, path):
            return error_response(scope, 400, MALFORMED)
        scope[USER], scope[SESSION] = "", ""
        if not self._logins.required:
            return None
        cookies = cookie_parser(headers.get("cookie", ""))
        token = cookies.get(COOKIE, "")
        user = self._logins.session_user(token)
        scope[SESSION] = token if user is not None else ""
        if user is None and not _among(path, PUBLIC):
            given = _basic(headers.get("authorization", ""))
            if given is None:
                return _ask_to_log_in(scope, headers)
            user, password = given
            if refusal := self.try_password(scope, user, password, cookies):
                return refusal
        scope[USER] = user or ""
        return None

    def try_password(self, scope: Scope, user: str, password: str, cookies: Mapping[str, str]) -> Response | None:
        """Check a password. Return None if it is right, else the answer, with the pause after too many wrong ones."""
        logins = self._logins
        mark = logins.known_mark(user, cookies.get(MARK, ""))
        if wait := math.ceil(logins.brake.wait(user, mark)):
            sentence = msg("Too many wrong passwords; try again in {wait} s.", wait=wait)
            return error_response(scope, 429, sentence, {"Retry-After": str(wait)}, wait=wait)
        if logins.check(user, password):
            return None
        logins.brake.failed(user, mark)
        return error_response(scope, 401, msg("Login or password is wrong."))


class _Measured:
    """Limit the bytes of a body, whatever the headers claim.

    The connection is closed if a body is refused before its end: the server would go on reading it otherwise.
    """

    def __init__(self, app: ASGIApp, limit: float) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > self._limit:
            await self._refuse(scope, receive, send)
            return
        size, more, refused, begun = 0, False, False, False

        async def measured() -> Message:
            nonlocal size, more, refused
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
            if size <= self._limit:
                return message
            if begun:  # the app has answered without the body; as far as it is concerned, the sender is gone
                return {"type": "http.disconnect"}
            refused = True
            raise HTTPException(413)

        async def sending(message: Message) -> None:
            nonlocal begun
            if refused and not begun:
                return  # what the app makes of the exception
            if more and not begun:
                MutableHeaders(scope=message)["Connection"] = "close"
            begun = True
            await send(message)

        try:
            await self._app(scope, measured, sending)
        except HTTPException:
            if not refused:
                raise
        if refused and not begun:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        most = round(self._limit / 2**20)
        sentence = msg("This request is too large; the limit is {mb} MB.", mb=most)
        await error_response(scope, 413, sentence, {"Connection": "close"})(scope, receive, send)


def is_https(headers: Mapping[str, str], scheme: str) -> bool:
    """Tell whether the browser uses HTTPS, perhaps to a proxy in front. A forged header affects only its sender."""
    return "https" in (scheme, headers.get("x-forwarded-proto"))


def _basic(header: str) -> tuple[str, str] | None:
    """Return login and password of HTTP Basic, for scripts: `curl -u user:password …`."""
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def _among(path: str, routes: Collection[str]) -> bool:
    return any(path == route or (route.endswith("/") and route != "/" and path.startswith(route)) for route in routes)


def _is_well_formed(headers: Headers, path: str) -> bool:
    """Check headers from which Gradio builds addresses, and names that no file system accepts."""
    hosts = (headers.get("host", ""), *headers.get("x-forwarded-host", "").split(","))
    names = path.encode("utf-8", "surrogateescape").split(b"/")
    return all(HOST.fullmatch(host.strip()) for host in hosts) and all(len(name) <= LONGEST_NAME for name in names)


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _ask_to_log_in(scope: Scope, headers: Headers) -> Response:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        # Relative, for a reverse proxy may show the page under a path that it takes off.
        query = scope.get("query_string", b"").decode("latin-1")
        wanted = f".{scope['path']}" + (f"?{query}" if query else "")
        up = "../" * (scope["path"].count("/") - 1)
        return RedirectResponse(f"{up}login?next={quote(wanted)}", status_code=303)
    return error_response(scope, 401, msg("Log in first."))


def _with_headers(send: Send, path: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "same-origin")
            for_good = path.startswith(HASHED) and message["status"] == 200
            headers.setdefault("Cache-Control", FOR_GOOD if for_good else "no-store")
        await send(message)

    return sending
