"""Serialise jobs, workers and presets for the page and the API, without paths and other logins' data.

`ui/static/types/` declares the same keys; a test compares them.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from ..doctor.diagnosis import big_values, diagnose, say_fault
from ..errors import BadInput, FanslymotionError, ModelError, PresetError
from ..messages import LANGUAGES, msg, texts
from ..models.choice import Recommendation, abilities, in_order, purpose_of, recommended
from ..models.find import ideas_of, preset_folder, require_model, taken_by
from ..models.loras import list_loras
from ..pipeline.families.base import MemoryPlan
from ..pipeline.families.forecast import forecast
from ..pipeline.families.modes import mode_steps, modes_of
from ..pipeline.families.motions import motions_of
from ..pipeline.media.join import frames_before
from ..pipeline.media.mp4 import read_track
from ..pipeline.media.normalised_photo import NormalisedPhoto
from ..pipeline.media.sizes import output_size
from ..pipeline.media.upscale.files import check_upscaler
from ..pipeline.output import resolve_output
from ..presets import HubPreset, Idea, ModelPreset, Presets, Resolution, UpscalerPreset
from ..presets.options import AS_PHOTO, BEST, LAST_PHOTO, LORA_STRENGTH, MOST_LORAS, NUMBERS, OPTIONS, SHAPES, TEXTS
from ..queue.crash_diagnosis import PREFIX
from ..queue.store.rows import BEFORE_NAME
from ..queue.types import Crash, Event, EventKind, Job, WorkerInfo, WorkerState
from ..settings import Settings
from .error_response import all_in_each_language, in_each_language

ROUTES = "/studio"
HASH_LETTERS = 16
"""Of a photo's hash, by which videos of one photo find together."""
NOT_HERE = msg("This model is not on this machine; its owner can download it.")
UPSCALER_NOT_HERE = msg("This upscaler is not on this machine; its owner can download it.")


def job_json(job: Job, presets: Presets, root_path: str = "") -> dict[str, Any]:
    """Return the JSON of a job, with all that a view needs and addresses under `root_path`.

    Times are Unix seconds, sizes pixels, `fraction` 0..1. `part` is the component that is being loaded. Jobs of one
    photo share a `photo_hash`, "" in rows of earlier versions. It opens the photo and reads the disk: call it in a
    thread.
    """
    request, address = job.request, f"{root_path}{ROUTES}/jobs/{job.id}"
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status.value,
        "cancelling": job.cancelling,
        "attempt": job.attempt,
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "place": job.place,
        "stage": job.stage,
        "step": job.step,
        "steps": job.steps,
        "part": job.part,
        "window": job.window,
        "windows": job.windows,
        "fraction": round(job.fraction, 4),
        "eta_seconds": job.eta_seconds,
        "revision": job.revision,
        "preview": f"{address}/preview?v={job.preview_version}" if job.preview_version else "",
        "photo": f"{address}/photo",
        "photo_hash": job.photo.sha256[:HASH_LETTERS],
        "poster": f"{address}/poster",
        "last_photo": last_photo_json(job, address),
        "settings": request.to_json(),
        "expected": expected_size(job, presets),
        "licence": licence_json(presets.models.get(request.model)),
        "error": job.error,
        "diagnosis": diagnosis_json(job, presets),
        "warnings": all_in_each_language(job.warnings),
        "favourite": job.favourite,
        "video": video_json(job, address),
        "waits_for": in_each_language(job.waits_for) if job.waits_for else None,
    }


def last_photo_json(job: Job, address: str) -> dict[str, str] | None:
    """Return name, hash (see `job_json`) and addresses (below the job's) of the video's last picture."""
    if job.last_photo is None:
        return None
    return {
        "name": job.last_name,
        "hash": job.last_photo.sha256[:HASH_LETTERS],
        "url": f"{address}/last",
        "poster": f"{address}/last-poster",
    }


def diagnosis_json(job: Job, presets: Presets) -> dict[str, Any] | None:
    """Return why a job failed and what helps, by language; None if it has not failed.

    All languages are included, so that a page that switches need not ask again.
    """
    found = diagnose(job, presets)
    return {language: found.say(language) for language in LANGUAGES} if found else None


def video_json(job: Job, address: str) -> dict[str, Any] | None:
    """Return addresses (below the job's), pixels, frames and frame rate of a finished job's video, else None."""
    if job.video is None:
        return None
    return {
        "url": f"{address}/video",
        "download": f"{address}/video?download=1",
        "still": f"{address}/still",
        "width": job.width,
        "height": job.height,
        "frames": job.frames,
        "fps": job.fps,
    }


def expected_size(job: Job, presets: Presets) -> dict[str, int] | None:
    """Return width and height in pixels, frames and frame rate of a job's future video.

    None if one of the job's presets was removed.
    """
    try:
        model = presets.models.get(job.request.model)
        output = resolve_output(job.request, _photo_size(job.photo), model, presets)
    except PresetError:
        return None
    frames = output.shown + _frames_before(job.folder / BEFORE_NAME, output.fps)
    return {"width": output.width, "height": output.height, "frames": frames, "fps": output.fps}


@lru_cache(maxsize=4096)
def seconds_before(folder: Path) -> int:
    """Return the whole seconds of the video that a job's own is joined to; 0 if there is none.

    Args:
        folder: The job's folder.
    """
    try:
        track = read_track(folder / BEFORE_NAME)
    except BadInput:
        return 0
    return round(track.seconds)


@lru_cache(maxsize=4096)
def _frames_before(video: Path, fps: int) -> int:
    """Return the number of frames before the job's own (`frames_before`); 0 without an earlier video."""
    try:
        return frames_before(read_track(video), fps)
    except BadInput:
        return 0


def _photo_size(photo: NormalisedPhoto) -> tuple[int, int]:
    """Return the photo's size, for a job of an earlier version from its file. A missing one counts as 16:9."""
    return photo.size if all(photo.size) else _size_in_file(photo.path)


@lru_cache(maxsize=4096)
def _size_in_file(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.size
    except OSError:
        return 16, 9


def event_json(event: Event) -> list[Any]:
    """Return an event as the list [id, time, kind, level, text], because there are many.

    Time in Unix seconds. The text of a fault is its sentences, by language.
    """
    text: Any = event.text
    if event.kind == EventKind.FAULT:
        text = {language: say_fault(event, language) for language in LANGUAGES}
    return [event.id, round(event.time, 3), event.kind, event.level, text]


def worker_json(worker: WorkerInfo, mine: Collection[str], owns: bool) -> dict[str, Any]:
    """Return the JSON of a worker. Only the owner sees other logins' jobs, and a crashed worker's last lines.

    Args:
        worker: The worker.
        mine: Ids of the login's running jobs.
        owns: The login owns the machine. Others see only the likely cause of a crash.

    Returns:
        `cause`: of a crash, by language. `crashes`: number of crashes in its slot. `last_crash`: the latest one with
        its
        `time` and `cause`, or None.
    """
    crashed = worker.state == WorkerState.CRASHED
    last_output = worker.last_output if owns else f"{PREFIX}{worker.cause}" if worker.cause else ""
    return {
        "id": worker.id,
        "host": worker.host,
        "pid": worker.pid,
        "state": worker.state,
        "alive": worker.alive,
        "started": worker.started,
        "device": in_each_language(worker.device) if worker.device else None,
        "job": worker.job_id if owns or worker.job_id in mine else "",
        "stage": worker.stage,
        "last_output": last_output if crashed else "",
        "cause": in_each_language(worker.cause if crashed else ""),
        "restarts": worker.restarts,
        "gpu": worker.gpu,
        "crashes": worker.crashes,
        "last_crash": _crash_json(worker.last_crash),
    }


def _crash_json(crash: Crash | None) -> dict[str, Any] | None:
    return None if crash is None else {"time": crash.time, "cause": in_each_language(crash.cause)}


def fault_json(code: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the catalogue's entry of a fault, by language: `code`, `title`, `cause`, `fix`."""
    return {language: {"code": code, **asdict(texts.fault(code, values, language))} for language in LANGUAGES}


def plan_json(plan: MemoryPlan) -> dict[str, Any]:
    """Return the JSON of a request's plan on this machine.

    Returns:
        `seconds`; `memory` and `total`: bytes of VRAM, or of RAM on a CPU; `width`, `height`: sampling size, pixels;
        `shrunk`: sampled smaller than requested, to fit; `fault`: warning if the settings are too large for the
        machine,
        by language, else None.
    """
    expected = forecast(plan)
    big = plan.shrunk or not expected.fits
    return {
        "fault": fault_json("FM-MEM-004", big_values(plan)) if big else None,
        "seconds": expected.seconds,
        "device": plan.device,
        "memory": expected.need,
        "total": expected.total,
        "width": plan.width,
        "height": plan.height,
        "shrunk": plan.shrunk,
        "fits": expected.fits,
    }


def licence_json(model: HubPreset | None) -> dict[str, str] | None:
    """Return the licence of a model and its required notices; None for an unknown model."""
    if model is None:
        return None
    licence = model.licence
    return {"name": licence.name, "url": licence.url, "notice": licence.notice, "powered_by": licence.powered_by}


def options_json(presets: Presets, settings: Settings, owns: bool) -> dict[str, Any]:
    """Return what the form offers: presets, and for each model whether its files are here.

    Args:
        presets: All presets.
        settings: The models' folder.
        owns: The login owns the machine. Only its owner sees where files are missing.
    """
    durations, first = presets.durations.values(), recommended(presets, settings)
    return {
        "resolutions": [resolution_json(resolution) for resolution in presets.resolutions.values()],
        "durations": [{"seconds": d.seconds, "fps": d.fps} for d in durations],
        "qualities": [
            {"name": q.name, "label": q.label, "interpolation": q.interpolation, "advanced": q.advanced}
            for q in presets.qualities.values()
        ],
        "models": [model_json(model, presets, settings, owns, first) for model in in_order(presets, settings)],
        "upscalers": [upscaler_json(one, settings, owns) for one in presets.upscalers.values()],
        "loras": [one.name for one in list_loras(settings) if not one.problem],
        "ideas": [idea_json(idea) for idea in presets.ideas.values()],
        "settings": {option.name: option.words for option in (*OPTIONS.values(), LORA_STRENGTH, LAST_PHOTO)},
        "lora_strength": LORA_STRENGTH.to_json(),
        "most_loras": MOST_LORAS,
        "numbers": [number.to_json() for number in NUMBERS.values()],
        "texts": [text.to_json() for text in TEXTS.values()],
    }


def resolution_json(resolution: Resolution) -> dict[str, Any]:
    """Return name and size of a resolution, and the [width, height] of its videos by shape, in pixels."""
    shapes = {shape: output_size((1, 1), resolution, shape) for shape in SHAPES if shape != AS_PHOTO}
    return {"name": resolution.name, "width": resolution.width, "height": resolution.height, "shapes": shapes}


def upscaler_json(upscaler: UpscalerPreset, settings: Settings, owns: bool) -> dict[str, Any]:
    """Return the JSON of an upscaler; `missing` and `owns` as in `model_json`."""
    missing = ""
    try:
        check_upscaler(upscaler, preset_folder(upscaler, settings))
    except FanslymotionError as e:
        missing = e.message if owns else UPSCALER_NOT_HERE
    return {**_about(upscaler), "missing": in_each_language(missing) if missing else None}


def model_json(
    model: ModelPreset, presets: Presets, settings: Settings, owns: bool, first: Recommendation | None
) -> dict[str, Any]:
    """Return the JSON of a model for the form.

    Args:
        model: Its preset.
        presets: All presets.
        settings: The models' folder.
        owns: The login owns the machine. Only its owner sees where files are missing.
        first: The recommended model.

    Returns:
        `missing`: why the model cannot be used now and what to do, by language, None when it can. `absent`: nothing of
        it has been downloaded. `random`: it is the untrained stand-in. `purpose`: what it is for, `can`: what it can
        that others cannot, `recommended`: why it is, each by language; None where it is not said, or is not so.
        `modes`: see `modes_json`. `takes`: the names of the settings that are its family's own. `ideas`: the names of
        the ready prompts that it offers. `motions`: see `motions_of`. `rates`: by quality, frames that are made a
        second and how many are shown for each, where they are not the length's and its own.
    """
    missing, random = "", False
    try:
        random = require_model(model.name, presets, settings).random
    except FanslymotionError as e:
        missing = e.message if owns else NOT_HERE
    return {
        **_about(model),
        "purpose": in_each_language(purpose) if (purpose := purpose_of(model)) else None,
        "can": all_in_each_language(abilities(model, presets)),
        "recommended": in_each_language(first.reason) if first and first.name == model.name else None,
        "demo": model.demo,
        "absent": model.source == "hub" and not os.path.isdir(preset_folder(model, settings)),
        "trial": model.trial,
        "random": random,
        "missing": in_each_language(missing) if missing else None,
        "width": model.width,
        "height": model.height,
        "frames": model.frames,
        "sampling": model.sampling.model_dump(exclude={"sigmas", "shift", "solver", "guidance_rescale"}),
        "modes": modes_json(model),
        "takes": list(taken_by(model)),
        "ideas": list(ideas_of(model, presets)),
        "motions": dict(motions_of(model)),
        "rates": {
            quality.name: [rate.fps, rate.interpolation]
            for quality in presets.qualities.values()
            if (rate := presets.own_rate(model, quality))
        },
    }


def idea_json(idea: Idea) -> dict[str, Any]:
    """Return the JSON of a ready prompt: `label` and `prompt` by language; the model gets the English prompt."""
    return {
        "name": idea.name,
        "label": {"en": idea.label, "ru": idea.label_ru or idea.label},
        "prompt": {"en": idea.prompt, "ru": idea.prompt_ru or idea.prompt},
    }


def modes_json(model: ModelPreset) -> dict[str, int]:
    """Return the steps of each of a model's modes."""
    try:
        offered = modes_of(model)
    except ModelError:  # of a family that is not here: `missing` says so
        return {BEST: model.sampling.steps}
    return {name: mode_steps(mode, model) for name, mode in offered.items()}


def _about(preset: HubPreset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "label": preset.label,
        "summary": {"en": preset.summary, "ru": preset.summary_ru or preset.summary},
        "source": preset.source,
        "repository": preset.repository,
        "download_gb": preset.download_gb,
        "gated": preset.gated,
        "licence": licence_json(preset),
    }
