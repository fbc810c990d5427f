"""Build the page: routes of our own, Gradio's page and API behind them, one guard in front of all."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from ..errors import BadInput, FanslymotionError, ModelError, NotFound, StoreError
from ..messages import msg
from ..settings import SHOWN, Settings
from .api import (
    estimate_routes,
    export_routes,
    job_routes,
    many_routes,
    page_routes,
    photo_routes,
    queue_routes,
    system_routes,
)
from .auth.identity import user_of
from .auth.logins import Logins
from .context import Studio
from .error_response import UNKNOWN, error_response, wanted
from .gradio_app.blocks import mount_blocks
from .page_files.media_types import register_media_types
from .server.compressed import CompressedText
from .uploads import api_uploads

log = logging.getLogger(__name__)

_OF_JOBS = (estimate_routes, job_routes, photo_routes, export_routes, queue_routes, many_routes)
ROUTES = (page_routes, *_OF_JOBS, system_routes, api_uploads)
"""Modules whose `router` holds routes of ours; Gradio's own are not among them."""


def build_app(settings: Settings, logins: Logins, host: str, root_path: str = "") -> Studio:
    """Build the whole page. Arguments as of `Studio`.

    Raises:
        PresetError: A preset file has a wrong value.
        StoreError: The database cannot be used.
    """
    register_media_types()
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.studio = studio = Studio(app, settings, logins, host, root_path)
    for routes in ROUTES:
        app.include_router(routes.router)
    app.add_middleware(CompressedText)
    _answer_errors_in_words(app)
    mount_blocks(app, studio)
    return studio


def _answer_errors_in_words(app: FastAPI) -> None:
    @app.exception_handler(FanslymotionError)
    async def known(request: Request, error: FanslymotionError) -> JSONResponse:
        sentence = app.state.studio.plain(user_of(request), error.message.say(wanted(request.scope)))
        return error_response(request.scope, _status(error), sentence)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        value = repr(first.get("input"))[:SHOWN]
        said = msg("{name} is {value}: {why}; correct the request", name=name, value=value, why=first["msg"])
        return error_response(request.scope, 422, said)

    @app.exception_handler(ClientDisconnect)
    async def hung_up(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody is there to read it

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return error_response(request.scope, 500, UNKNOWN)


def _status(error: Any) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, StoreError):
        return 503
    return 400 if isinstance(error, BadInput | ModelError) else 500
