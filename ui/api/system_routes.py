"""Serve the System view over HTTP: versions, disks, workers, models and their downloads."""

import asyncio
import platform
import shutil
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ... import __version__
from ...doctor.checks import worst
from ...fs import nearest_existing
from ...messages import texts
from ...models.choice import recommended
from ...models.download.background import Downloads
from ...models.download.state import SENTENCES
from ...models.registry import ModelEntry, complete, list_models, list_upscalers, look, remove
from ...models.use import use_model as use_model_at
from ...queue.types import WorkerInfo, WorkerState, in_order
from ..auth.identity import owner_of, user_of
from ..auth.redact import report
from ..context import Studio
from ..error_response import in_each_language
from ..serializers import fault_json, model_json, upscaler_json, worker_json
from .queue_routes import owned
from .requests import read_json

router = APIRouter(prefix="/studio")

PACKAGES = ("torch", "diffusers", "transformers", "gradio", "huey", "imageio-ffmpeg")
SAMPLES = 120
"""Of the graphics card, the newest: four minutes and more."""


@router.get("/system")
async def system(request: Request) -> dict[str, Any]:
    """Describe the machine for the System view, beside what the stream tells. No paths: others may be looking, too.

    `workers` also have `heartbeat_age` (s) and `samples` of the device while a job runs (see
    `DeviceMeter.look`, with their `time`). `report` is a text for bug reports, without names, photos, jobs and paths.
    """
    studio: Studio = request.app.state.studio
    folders = await studio.sizes.get()

    def read() -> dict[str, Any]:
        about = {
            "versions": {"fanslymotion": __version__, "Python": platform.python_version(), **packages()},
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "disk": {**folders, "free": shutil.disk_usage(nearest_existing(studio.settings.home)).free},
        }
        workers, models = in_order(studio.jobs.workers()), models_json(studio, user_of(request))
        running = {job.id for job in studio.jobs.running(owner_of(request))}
        return {
            **about,
            "workers": [_worker(studio, one, running, user_of(request)) for one in workers],
            "models": models,
            "upscalers": upscalers_json(studio, user_of(request)),
            "report": _report(studio, about, workers, models, user_of(request)),
        }

    return await asyncio.to_thread(read)


@router.get("/doctor")
async def doctor(request: Request, language: Literal["en", "ru"] = "en", fresh: bool = False) -> dict[str, Any]:
    """Run every check but loading a model; for the machine's owner, since findings name folders and programs.

    fresh: look now. Otherwise the findings may be as old as `Studio` keeps them, and no older: hours later the fault
    may be gone.
    """
    kept = owned(request).findings
    findings = await kept.get(fresh or kept.old)
    return {"result": worst(findings), "checks": [finding.say(language).to_json() for finding in findings]}


class FolderIn(BaseModel):
    """Body of `POST /studio/models`.

    Attributes:
        folder: Path of a model's folder, of a file of weights, or of a folder with two such files.
        name: Name of the new model; "" = the folder's or file's.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    folder: str = Field(max_length=4096)
    name: str = Field("", max_length=61)


@router.post("/models")
async def use_model(request: Request) -> dict[str, Any]:
    """Add a model that is on this machine. For the machine's owner, since it names a path. Nothing is copied."""
    studio: Studio = owned(request)
    wanted: FolderIn = await read_json(request, FolderIn)

    paths, presets = [Path(wanted.folder)], studio.presets
    name = (await asyncio.to_thread(use_model_at, paths, presets, studio.settings, wanted.name)).name
    return {"name": name, "models": await asyncio.to_thread(models_json, studio, user_of(request))}


@router.post("/models/{name}/{act}")
async def change_model(
    name: str, act: Literal["download", "stop", "remove", "check"], request: Request
) -> dict[str, Any]:
    """Download, remove or check a model or upscaler, or stop its download or check. For the machine's owner."""
    studio: Studio = owned(request)
    studio.presets.downloadable(name)

    def change() -> None:
        downloads = Downloads(studio.settings)
        if act == "check":
            studio.model_checks.start(name)
        elif act == "download":
            studio.model_checks.forget(name)
            if look(name, studio.presets, studio.settings).state != "missing":
                studio.jobs.release_models()  # a damaged file is deleted, which Windows refuses while a worker maps it
            downloads.start(name, studio.presets)
        elif act == "stop":
            studio.model_checks.stop(name)
            downloads.cancel(name)
        else:
            studio.model_checks.forget(name)
            remove(name, studio.presets, studio.settings, studio.jobs.release_models)

    await asyncio.to_thread(change)
    user = user_of(request)
    return {
        "models": await asyncio.to_thread(models_json, studio, user),
        "upscalers": await asyncio.to_thread(upscalers_json, studio, user),
    }


def models_json(studio: Studio, user: str) -> list[dict[str, Any]]:
    """Return the JSON of all models with the state of their files.

    Returns:
        Beside `model_json`, `state`: `ready`, `missing`, `partial` or `damaged`; `bytes`; `download`: how far one is
        that runs or has failed, else None; `check`: the last one of its files since the page was started (see
        `ModelCheck`), else None.
    """
    owns = studio.logins.owns_machine(user)
    presets = studio.live_presets.now(fresh=True)
    entries = list_models(presets, studio.settings)
    first = recommended(presets, studio.settings, complete(entries))
    return [
        {
            **model_json(presets.model(entry.name), presets, studio.settings, owns, first),
            **_files_json(studio, entry, user),
        }
        for entry in entries
    ]


def upscalers_json(studio: Studio, user: str) -> list[dict[str, Any]]:
    """Return the JSON of all upscalers with the state of their files, as `models_json` does."""
    owns = studio.logins.owns_machine(user)
    return [
        {
            **upscaler_json(studio.presets.upscaler(entry.name), studio.settings, owns),
            **_files_json(studio, entry, user),
        }
        for entry in list_upscalers(studio.presets, studio.settings)
    ]


def _files_json(studio: Studio, entry: ModelEntry, user: str) -> dict[str, Any]:
    return {
        "state": entry.state,
        "bytes": entry.size,
        "download": studio.plain(user, download_json(entry.download, studio.settings.models)),
        "check": studio.plain(user, studio.model_checks.to_json(entry.name)),
    }


def _worker(studio: Studio, worker: WorkerInfo, mine: set[str], user: str) -> dict[str, Any]:
    samples = studio.jobs.samples(worker.job_id, SAMPLES) if worker.alive and worker.job_id else []
    return {
        **worker_json(worker, mine, studio.logins.owns_machine(user)),
        "heartbeat_age": round(max(0.0, time.time() - worker.heartbeat), 1),
        "samples": samples,
    }


def _report(
    studio: Studio, about: dict[str, Any], workers: list[WorkerInfo], models: list[dict[str, Any]], user: str
) -> str:
    """Write the report for bug reports: what the login may see, without the names of its own models' folders."""
    owns = studio.logins.owns_machine(user)
    found = (studio.findings.last or []) if owns else []
    facts = ("state", "alive", "device", "stage", "restarts")
    crashed = [worker.last_output for worker in workers if worker.state == WorkerState.CRASHED] if owns else []
    return report(
        {
            **about,
            "workers": [{key: getattr(worker, key) for key in facts} for worker in workers],
            "models": [{"name": m["name"] if m["source"] != "folder" else "own", "state": m["state"]} for m in models],
            "checks": [{"key": one.key, "result": one.result, "code": one.code} for one in found],
        },
        crashed,
        {*studio.logins.names, *(studio.jobs.names() if crashed else ())},
        studio.settings,
    )


def download_json(state: Any, folder: Path) -> dict[str, Any] | None:
    """Return the JSON of a download that runs or has failed, else None.

    Args:
        state: A `DownloadState`, or None.
        folder: Where models are, for the sentences.

    Returns:
        `message` and `error` by language. `fault`: what the catalogue says of a failed one, by language, else None.
    """
    if state is None or state.status in ("done", "cancelled"):
        return None
    keys = ("status", "phase", "done", "total", "speed", "seconds_left", "code", "page")
    facts = {key: getattr(state, key) for key in keys}
    values = {**facts, "error": state.error, "model": state.model, "folder": folder}
    said = {name: in_each_language(getattr(state, name)) for name in SENTENCES}
    return {**facts, **said, "fault": fault_json(state.code, values) if state.code in texts.codes() else None}


def packages() -> dict[str, str]:
    """Return the versions of the main packages, without importing them; `-` for one that is missing."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found
