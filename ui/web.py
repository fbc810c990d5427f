"""Put the page together: routes of our own, Gradio's page and API behind them, one guard in front of all."""

import logging
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from ..errors import BadInput, FanslymotionError, NotFound, StoreError
from ..presets import Presets, load_presets
from ..queue.jobs import Jobs
from ..settings import Settings
from . import job_routes, page_routes, queue_routes, system_routes
from .blocks import mount_blocks
from .guard import Guard
from .live import Live
from .logins import Logins
from .machine import machine_json
from .photos import Photos
from .shape import job_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Studio:
    """What the routes share; found in `request.app.state.studio`."""

    settings: Settings
    presets: Presets
    jobs: Jobs
    photos: Photos
    logins: Logins
    live: Live
    guard: Guard

    @property
    def app(self) -> ASGIApp:
        return self.guard


def build_app(settings: Settings, logins: Logins, host: str) -> Studio:
    """The whole page as an ASGI app. Raise PresetError or StoreError when the data folder cannot be used."""
    presets, jobs = load_presets(settings), Jobs(settings)
    live = Live(
        jobs,
        lambda job: job_json(job, presets),
        lambda owner: machine_json(jobs, owner),
    )
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(page_routes.router)
    for routes in (job_routes, queue_routes, system_routes):
        app.include_router(routes.router)
    _answer_errors_in_words(app)
    mount_blocks(app, settings, presets, jobs, logins)
    studio = Studio(settings, presets, jobs, Photos(settings), logins, live, Guard(app, logins, host))
    app.state.studio = studio
    return studio


def _answer_errors_in_words(app: FastAPI) -> None:
    @app.exception_handler(FanslymotionError)
    async def known(_: Request, error: FanslymotionError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=_status(error))

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        sentence = "Something went wrong in the program; the details are in the window that it was started from."
        return JSONResponse({"error": sentence}, status_code=500)


def _status(error: Any) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, StoreError):
        return 503
    return 400 if isinstance(error, BadInput) else 500
