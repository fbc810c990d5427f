"""Serve the page's files, login and logout, and the machine's state."""

import asyncio
import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from ... import __version__
from ...errors import NotFound
from ...messages import msg
from ...pipeline.media.photo.load import MAX_BYTES
from ..auth.identity import login_of, user_of
from ..auth.logins import SESSION_SECONDS
from ..auth.middleware import COOKIE, MARK, is_https
from ..page_files.one_script import ONE_SCRIPT, one_script
from ..page_files.static_files import FOR_GOOD, LOCALES, STATIC, edition, known_files, read_static
from ..serializers import options_json
from .conditional import fresh
from .requests import TOO_LARGE, read_body

router = APIRouter()

MOST_LOGIN_BYTES = 4096
SCRIPT = "text/javascript"
MARK_SECONDS = 365 * 24 * 3600


@router.get("/login", response_class=HTMLResponse)
async def login_page() -> Response:
    """Send the login form."""
    return _html("login.html")


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Log in with the form fields username and password, as gradio_client sends them."""
    studio = request.app.state.studio
    body = await read_body(request, MOST_LOGIN_BYTES, TOO_LARGE)
    form = parse_qs(body.decode("utf-8", "replace"))
    user, password = form.get("username", [""])[0].strip(), form.get("password", [""])[0]
    if refusal := studio.guard.try_password(request.scope, user, password, request.cookies):
        return refusal
    response = JSONResponse({"success": True})
    safe: dict[str, Any] = {
        "httponly": True, "samesite": "lax", "secure": is_https(request.headers, request.url.scheme)
    }  # fmt: skip
    # Without a path of their own cookies belong to the folder of this address, which a reverse proxy may have moved.
    response.set_cookie(COOKIE, studio.logins.open_session(user), max_age=SESSION_SECONDS, path=None, **safe)
    response.set_cookie(MARK, studio.logins.mark(user), max_age=MARK_SECONDS, path=None, **safe)
    return response


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Log out: end the session in the browser and on the server, with everything that is open in other tabs."""
    await request.app.state.studio.logins.end_session(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("login", status_code=303)
    response.set_cookie(COOKIE, max_age=0, path=None)
    return response


@router.get("/studio/static/{name:path}")
async def static(name: str, request: Request) -> Response:
    """Send a script, style or picture of the page.

    Args:
        name: Path in `ui/static`, optionally below `@` and the files' edition; those never change.
        request: The request.
    """
    named, _, rest = name.partition("/")
    asked, wanted = (named[1:], rest) if named.startswith("@") else ("", name)
    if wanted == ONE_SCRIPT:
        return _one_script(request, asked)
    path = known_files(STATIC).get(wanted)
    if path is None:
        raise NotFound(msg("there is no such file"))
    return _versioned(path, request, asked)


@router.get("/studio/locales/{name}")
async def locale(name: str, request: Request) -> Response:
    """Send the page's texts in one language. name: `en.json` or `ru.json`. `v`: the files' edition, optional."""
    path = known_files(LOCALES).get(name)
    if path is None:
        raise NotFound(msg("there is no such language"))
    return _versioned(path, request, request.query_params.get("v", ""))


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """Send the page's icon under its traditional name."""
    return _versioned(STATIC / "icon.svg", request)


@router.get("/robots.txt")
async def robots() -> Response:
    """Ask search engines not to index the page."""
    return Response("User-agent: *\nDisallow: /\n", media_type="text/plain")


@router.get("/studio/options")
async def options(request: Request) -> dict[str, Any]:
    """Return what the form offers, and the login; see `options_json`."""
    studio = request.app.state.studio
    user = user_of(request)
    owns = studio.logins.owns_machine(user)
    presets = await asyncio.to_thread(studio.live_presets.now, fresh=True)
    shown = await asyncio.to_thread(options_json, presets, studio.settings, owns)
    return {
        "version": __version__,
        "user": user,
        "owns_machine": owns,
        "root_path": studio.root_path,
        "photo_bytes": MAX_BYTES,
        **shown,
    }


@router.get("/studio/machine")
async def machine(request: Request) -> dict[str, Any]:
    """Return workers and waiting jobs; see `machine_json`. The stream `events` sends the same, live."""
    studio = request.app.state.studio
    return await asyncio.to_thread(studio.machine, login_of(request))


@cache
def _fingerprint(path: Path, _modified: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _versioned(path: Path, request: Request, asked: str = "") -> Response:
    """Send a file, cacheable for good under its edition's name, else with revalidation (304 if unchanged)."""
    if asked and asked == edition():
        return FileResponse(path, headers={"Cache-Control": FOR_GOOD})
    headers = fresh(request, _fingerprint(path, path.stat().st_mtime_ns))
    return headers if isinstance(headers, Response) else FileResponse(path, headers=headers)


def _one_script(request: Request, asked: str) -> Response:
    """Send all modules as one script."""
    now = edition()
    kept = {"Cache-Control": FOR_GOOD} if asked == now else fresh(request, now)
    return kept if isinstance(kept, Response) else Response(one_script(now), headers=kept, media_type=SCRIPT)


def _html(name: str) -> Response:
    return HTMLResponse(read_static(name))
