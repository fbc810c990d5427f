"""The machine and its models, over HTTP: versions, disks, workers; downloads that survive reload and restart."""

import asyncio
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from fastapi import APIRouter, Request

from .. import __version__
from ..doctor.checks import Doctor, worst
from ..models.downloads import Downloads
from ..models.registry import folder_size, list_models, remove
from ..pipeline.files import nearest_existing
from .queue_routes import owned
from .shape import model_json, worker_json

router = APIRouter(prefix="/studio")

PACKAGES = ("torch", "diffusers", "transformers", "gradio", "huey", "imageio-ffmpeg")


@router.get("/system")
async def system(request: Request) -> dict[str, Any]:
    """What the System view shows beside the stream. No paths: others may be looking, too."""
    studio = request.app.state.studio

    def read() -> dict[str, Any]:
        home, models = studio.settings.home, studio.settings.models
        return {
            "versions": {"fanslymotion": __version__, "Python": platform.python_version(), **packages()},
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "disk": {
                "jobs": folder_size(studio.settings.jobs_dir),
                "models": folder_size(models),
                "free": shutil.disk_usage(nearest_existing(home)).free,
            },
            "workers": [worker_json(worker) for worker in studio.jobs.workers()],
            "models": models_json(studio),
        }

    return await asyncio.to_thread(read)


@router.get("/doctor")
async def doctor(request: Request, language: Literal["en", "ru"] = "en") -> dict[str, Any]:
    """Every check but loading a model; for the machine's owner, since they name folders and programs."""
    studio = owned(request)
    checks = await asyncio.to_thread(Doctor(studio.settings, language).run)
    return {"result": worst(checks), "checks": [check.to_json() for check in checks]}


@router.post("/models/{name}/{act}")
async def change_model(name: str, act: Literal["download", "stop", "remove"], request: Request) -> dict[str, Any]:
    studio = owned(request)
    studio.presets.model(name)

    def change() -> None:
        downloads = Downloads(studio.settings)
        if act == "download":
            downloads.start(name, studio.presets)
        elif act == "stop":
            downloads.cancel(name)
        else:
            remove(name, studio.presets, studio.settings)

    await asyncio.to_thread(change)
    return {"models": await asyncio.to_thread(models_json, studio)}


def models_json(studio: Any) -> list[dict[str, Any]]:
    """state: ready, missing, partial or damaged. download: how far one is that runs or has failed, else None."""
    entries = list_models(studio.presets, studio.settings)
    return [
        {
            **model_json(entry.preset, studio.presets, studio.settings),
            "state": entry.state,
            "bytes": entry.size,
            "download": download_json(entry.download),
        }
        for entry in entries
    ]


def download_json(state: Any) -> dict[str, Any] | None:
    if state is None or state.status in ("done", "cancelled"):
        return None
    keys = ("status", "phase", "done", "total", "speed", "seconds_left", "message", "code", "error", "page")
    return {key: getattr(state, key) for key in keys}


def packages() -> dict[str, str]:
    """Their versions, without importing them."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "-"
    return found
