"""Build the Gradio Blocks app: named endpoints for `gradio_client`.

The page's content has markup, style and scripts of its own (static/, see own_document.py). It follows jobs
through `/studio/events` instead of Gradio's generators: see `live.py` for why, docs/decisions.md for the figures.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from functools import partial, wraps
from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import Mount

from ...errors import BadInput, FanslymotionError
from ...messages import msg
from ...models.find import default_model
from ...pipeline.media.photo.load import MAX_BYTES
from ...pipeline.request import VideoRequest
from ...presets.loras import parse_loras
from ...presets.options import AS_PHOTO, BEST, LAST_PHOTO, LORA_STRENGTH, MOTIONS, NUMBERS, OPTIONS
from ...queue.submit import check_last_photo
from ..api.job_routes import JOB_ID, MOST_WAITING
from ..api.requests import to_request
from ..auth.middleware import USER, is_https
from ..context import Studio
from ..error_response import UNKNOWN
from ..uploads.photos import Photo, clean_name
from .fast_import import Base
from .fast_import import gradio as gr
from .one_app import without_apps
from .own_document import OwnDocument
from .request_checks import Endpoint, RequestChecks
from .uploads_only import take_plain_inputs

log = logging.getLogger(__name__)

FONTS = ("system-ui", "Segoe UI", "Roboto", "sans-serif")
LONGEST_SHOWN = 80
"""Characters of a wrong value that its refusal shows."""
NEWER = ("position",)
"""Numbers that came later: callers by place know the order of the first ones."""
THEME = Base(font=FONTS, font_mono=("ui-monospace", "Consolas", "monospace"))
"""Names of fonts, not Gradio's web fonts: the page asks no other server for anything."""


QUEUE_PAUSE = 0.05
"""Seconds between two looks of Gradio's queue for a call, and for its progress. Its own are 1 and 10 ms, except on
Windows: 7 % of a core for an idle page."""


def mount_blocks(app: FastAPI, studio: Studio) -> None:
    """Add Gradio's page and API behind the app's own routes."""
    blocks = build_blocks(studio)
    take_plain_inputs(blocks)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        auth_dependency=lambda request: request.scope.get(USER) if studio.logins.required else "local",
        max_file_size=MAX_BYTES,
        show_error=False,  # only `gr.Error`, our own sentences, are told
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        theme=THEME,
        root_path=studio.root_path or None,
    )
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = QUEUE_PAUSE
    mounted = app.routes[-1]
    assert isinstance(mounted, Mount)
    mounted.app = OwnDocument(RequestChecks(mounted.app, blocks._queue, _endpoints(blocks)))


class Endpoints:
    """The functions behind the named endpoints, in parameters and answers of plain types."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def owner(self, request: gr.Request) -> str | None:
        """Return the login that sent a request, or None where no login is required."""
        return request.username if self.studio.logins.required else None

    async def generate(
        self,
        request: gr.Request,
        photo: str | None,
        resolution: str,
        seconds: float,
        quality: str,
        model: str,
        fit: str,
        seed: float | None = None,
        motion_bucket_id: float | None = None,
        steps: float | None = None,
        noise_aug_strength: float | None = None,
        fps: float | None = None,
        detail: bool = True,
        upscaler: str | None = None,
        motion: str | float | None = "",
        noise: float | None = None,
        mode: str = BEST,
        prompt: str = "",
        shape: str = AS_PHOTO,
        position: float | None = None,
        negative_prompt: str | None = None,
        lora: str | None = None,
        lora_strength: float | None = None,
        loop: bool = False,
        int8: bool = False,
        last_photo: str | None = None,
        loras: str | None = "",
    ) -> str:
        """Queue a video and return the job's id. Empty advanced settings: the model's own; empty seed: a random one.

        last_photo: the picture that the video ends with, for models that can be told; sent as `photo` is.
        motion: gentle, normal or strong instead of motion_bucket_id; also that number, whose former name it is.
        noise: the former name of noise_aug_strength. Both count where those are empty.
        loras: names with their strengths, in the order in which they are added: "style:0.8, motion". lora and
        lora_strength are one of them, as earlier versions had it.
        """
        if photo is None:
            raise BadInput(msg("no photo was given; pass photo=handle_file('photo.jpg')"))
        wanted = await asyncio.to_thread(
            self._wanted,
            {
                "resolution": resolution,
                "seconds": _whole("seconds", seconds),
                "quality": quality,
                "mode": mode,
                "model": model,
                "seed": _whole("seed", seed),
                "motion_bucket_id": _whole("motion_bucket_id", motion_bucket_id),
                "motion": _word("motion", motion) if motion_bucket_id is None else "",
                "steps": _whole("steps", steps),
                "noise_aug_strength": _first(noise_aug_strength, noise),
                "fps": _whole("fps", fps),
                "fit": fit,
                "detail": detail,
                "upscaler": upscaler or None,
                "prompt": prompt or "",
                "shape": shape,
                "position": position,
                "negative_prompt": negative_prompt,
                "lora": lora or None,
                "lora_strength": lora_strength,
                "loras": [asdict(one) for one in parse_loras(loras or "")],
                "loop": loop,
                "int8": int8,
            },
        )
        if last_photo is not None:
            await asyncio.to_thread(check_last_photo, wanted, self.studio.settings)
        mine = self.owner(request)
        limit = MOST_WAITING if mine is not None else None
        async with AsyncExitStack() as kept:
            first = await self._picture(photo, mine or "", kept)
            last = None if last_photo is None else (await self._picture(last_photo, mine or "", kept)).named
            submit = partial(self.studio.jobs.submit, name=first.name, owner=first.owner, limit=limit, last=last)
            return (await asyncio.to_thread(submit, first.source, wanted)).id

    def _wanted(self, values: dict[str, Any]) -> VideoRequest:
        presets = self.studio.live_presets.now(fresh=True)  # a script may have added the model a moment ago
        return to_request(values, presets, default_model(presets, self.studio.settings))

    async def _picture(self, upload: str, owner: str, kept: AsyncExitStack) -> Photo:
        """Read an upload of a login's. kept: removes the photo when it is closed."""
        upload_id, _, name = upload.partition("/")
        path = await asyncio.to_thread(self.studio.api_uploads.find, upload_id, owner)
        photo = await self.studio.photos.add(path, clean_name(name), owner)
        kept.push_async_callback(asyncio.to_thread, self.studio.photos.remove, photo)
        return photo

    def job(self, request: gr.Request, job_id: str) -> dict[str, Any]:
        """Return a job's status, stage, step, fraction, eta_seconds, error, and its video's address when done."""
        found = self.studio.jobs.get(_job_id(job_id), self.studio.logins.sees(self.owner(request)))
        return _with_addresses(self.studio.job(found), request)

    def cancel(self, request: gr.Request, job_id: str) -> dict[str, Any]:
        """Ask a job to end, and return its state."""
        found = self.studio.jobs.cancel(_job_id(job_id), self.studio.logins.sees(self.owner(request)))
        return _with_addresses(self.studio.job(found), request)


def build_blocks(studio: Studio) -> gr.Blocks:
    """Build the Gradio app: the endpoints `generate` (returns a job's id), `job` (its state), `cancel` (ends it)."""
    endpoints = Endpoints(studio)
    in_words = partial(tell_errors, endpoints)

    # What the endpoints take and give; the page itself has its own routes.
    with without_apps(), gr.Blocks(title="fanslymotion", analytics_enabled=False) as blocks, gr.Column(visible=False):
        photo = gr.File(label="photo", type="filepath")
        choices = [
            gr.Textbox("480p", **words("resolution")),
            gr.Number(6, **words("seconds")),
            gr.Textbox("standard", **words("quality")),
            gr.Textbox("", **words("model")),
            gr.Textbox("crop", **words("fit")),
            *(gr.Number(None, **words(name)) for name in NUMBERS if name not in NEWER),
            gr.Checkbox(True, **words("detail")),
            gr.Textbox("", **words("upscaler")),
            gr.Textbox("", label="motion", info=f"Instead of motion_bucket_id: {', '.join(MOTIONS)}."),
            gr.Number(None, label="noise"),
            gr.Textbox(BEST, **words("mode")),
            gr.Textbox("", **words("prompt")),
            gr.Textbox(AS_PHOTO, **words("shape")),
            gr.Number(None, **words("position")),
            gr.Textbox(None, **words("negative_prompt")),
            gr.Textbox("", label="lora", info="The only one of loras."),
            gr.Number(None, label=LORA_STRENGTH.name, info=LORA_STRENGTH.help),
            gr.Checkbox(False, **words("loop")),
            gr.Checkbox(False, **words("int8")),
            gr.File(label=LAST_PHOTO.name, type="filepath"),
            gr.Textbox("", **words("loras")),
        ]
        job_id, state = gr.Textbox(label="job_id"), gr.JSON(label="state")
        never = {"queue": True, "concurrency_limit": None}
        gr.Button("generate").click(
            in_words(endpoints.generate), [photo, *choices], job_id, api_name="generate", **never
        )
        gr.Button("job").click(in_words(endpoints.job), job_id, state, api_name="job", **never)
        gr.Button("cancel").click(in_words(endpoints.cancel), job_id, state, api_name="cancel", **never)
    return blocks


def tell_errors(endpoints: Endpoints, function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an endpoint so that an error meant for people reaches the caller as its sentence.

    Gradio passes on only its own kind of error. Of any other the caller learns only that there was one: its text may
    name what is on this machine.
    """

    @contextmanager
    def errors(request: gr.Request) -> Generator[None]:
        try:
            yield
        except FanslymotionError as e:
            raise gr.Error(endpoints.studio.plain(endpoints.owner(request), str(e)), print_exception=False) from e
        except Exception as e:
            log.error("the endpoint %s failed", function.__name__, exc_info=e)
            raise gr.Error(UNKNOWN, print_exception=False) from e

    @wraps(function)
    def telling(request: gr.Request, *args: Any) -> Any:
        with errors(request):
            return function(request, *args)

    @wraps(function)
    async def telling_later(request: gr.Request, *args: Any) -> Any:
        with errors(request):
            return await function(request, *args)

    return telling_later if inspect.iscoroutinefunction(function) else telling


def _endpoints(blocks: gr.Blocks) -> dict[str, Endpoint]:
    """Return the endpoints by name: a function's number, its parameters, those without a default."""
    found, described = {}, blocks.get_api_info()["named_endpoints"]
    for number, fn in blocks.fns.items():
        parameters = described[f"/{fn.api_name}"]["parameters"]
        names = [one["parameter_name"] for one in parameters]
        required = [one["parameter_name"] for one in parameters if not one.get("parameter_has_default")]
        found[str(fn.api_name)] = (number, names, required)
    return found


def words(name: str) -> dict[str, Any]:
    """Return label and help of a setting for an endpoint; its label is the parameter's name."""
    return {"label": name, "info": OPTIONS[name].help}


def _first(now: float | None, before: float | None) -> float | None:
    """Return the value of a parameter under its name, else under its former one."""
    return before if now is None else now


def _whole(name: str, value: float | None) -> int | None:
    """Gradio's numbers are floats."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        return int(value)
    raise BadInput(msg("{name} is {value!r}; it must be a whole number", name=name, value=str(value)[:LONGEST_SHOWN]))


def _word(name: str, value: Any) -> Any:
    """Return a word as it is, "" for none, a number in digits."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(_whole(name, value))
    return value or ""


def _job_id(value: Any) -> str:
    if not isinstance(value, str) or not JOB_ID.fullmatch(value):
        raise BadInput(msg("job_id is not one that generate has returned"))
    return value


def _with_addresses(state: dict[str, Any], request: gr.Request) -> dict[str, Any]:
    """Put the host that the caller used before the addresses in a job's state."""
    base = _base(request.request)
    video = state["video"]
    if video:
        state["video"] = {**video, "url": base + video["url"], "download": base + video["download"]}
    return state


def _base(request: Request | None) -> str:
    if request is None:
        return ""
    scheme = "https" if is_https(request.headers, request.url.scheme) else "http"
    forwarded = request.headers.get("x-forwarded-host", "").split(",")[0].strip()
    return f"{scheme}://{forwarded or request.url.netloc}"
