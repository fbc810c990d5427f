"""What a failed job died of, in plain words: from its error, its stage and its worker's last lines. No torch."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..presets import Presets
from ..queue.types import Event, Job, Status
from ..settings import ROOT
from . import texts

RETRY, SMALLER, DOWNLOAD, PHOTO, RESTART = "retry", "retry_smaller", "download", "other_photo", "restart_worker"

RULES: tuple[tuple[str, str, str], ...] = (
    (r"^the worker died .*(?:code -9\b|killed it|Killed)", "FM-WORKER-005", SMALLER),
    (r"^the worker died (?P<attempts>\d+) times", "FM-WORKER-004", SMALLER),
    (r"the memory is too small", "FM-MEM-002", SMALLER),
    (r"disk of [^;]* is full|No space left|disk is full", "FM-DISK-001", RETRY),
    (r"not finite|is black though|single colour", "FM-VIDEO-002", RETRY),
    (r"no model folder|is not a whole|download it:", "FM-MODEL-001", DOWNLOAD),
    (r"could not be loaded|lacks \d+ weights|of the model again", "FM-MODEL-006", DOWNLOAD),
    (r"CUDA error|illegal memory access|device-side assert|CUDNN_STATUS", "FM-GPU-008", RETRY),
    (r"finished video cannot be put|job's folder [^;]* cannot be used|cannot be written", "FM-VIDEO-003", RETRY),
    (r"ffmpeg", "FM-VIDEO-001", RETRY),
    (r"photo is gone|is not a photo|is damaged or incomplete", "FM-PHOTO-001", PHOTO),
    (r"choose one of|is not a Stable Video Diffusion model|fanslymotion\.json", "FM-SET-001", RETRY),
)
"""(pattern over the error, code, action), the first that fits; what nobody foresaw is FM-JOB-000."""


@dataclass(frozen=True)
class Diagnosis:
    """code: stable, shared by page, command and table. action: what mends it, with one button. tried: on the way.

    resolution: the next smaller one for `retry_smaller`, "" where there is none.
    """

    code: str
    action: str
    resolution: str = ""
    tried: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def say(self, language: str = "en") -> dict[str, Any]:
        text = texts.fault(self.code, self.values, language)
        return {
            "code": self.code,
            "title": text.title,
            "cause": text.cause,
            "fix": text.fix,
            "tried": list(self.tried),
            "action": self.action,
            "resolution": self.resolution,
        }


def diagnose(job: Job, presets: Presets) -> Diagnosis | None:
    """None for a job that has not failed."""
    if job.status is not Status.FAILED:
        return None
    first = job.error.splitlines()[0] if job.error else ""
    code, action, found = "FM-JOB-000", RETRY, {}
    for pattern, known, act in RULES:
        if match := re.search(pattern, job.error, re.DOTALL | re.IGNORECASE):
            code, action, found = known, act, match.groupdict()
            break
    smaller = next_smaller(job.request.resolution, presets)
    if code == "FM-MEM-002" and job.stage == "loading":
        code = "FM-MEM-001"
    if action == SMALLER and not smaller:
        action = RETRY
    values = {
        "error": first,
        "stage": job.stage,
        "attempts": found.get("attempts") or job.attempt,
        "how": last_words(job.error),
        "model": job.request.model,
        "folder": job.folder.parent.parent,
        "resolution": smaller or job.request.resolution,
        "placement": job.stage,
        "holders": holders(first),
        "command": install_command(),
    }
    return Diagnosis(code, action, smaller, job.warnings, values)


def say_fault(event: Event, language: str = "en") -> dict[str, str]:
    """A `fault` event of a running job in plain words."""
    why, values = event.data.get("why", "elsewhere"), {"command": install_command(), **event.data}
    said = {
        "why": texts.say("idle", why, values, language),
        "command": texts.say("idle", f"{why}_fix", values, language),
    }
    text = texts.fault(event.text, values | said, language)
    return {"code": event.text, "title": text.title, "cause": text.cause, "fix": text.fix}


def next_smaller(resolution: str, presets: Presets) -> str:
    """The largest preset with fewer pixels than this one, "" when it is the smallest."""
    known = presets.resolutions
    if resolution not in known:
        return ""
    area = {name: one.width * one.height for name, one in known.items()}
    below = [name for name in known if area[name] < area[resolution]]
    return max(below, key=area.__getitem__, default="")


def last_words(error: str) -> str:
    """The last line that a worker said, "" when there is none."""
    return error.strip().splitlines()[-1] if "\n" in error.strip() else ""


def holders(error: str) -> str:
    found = re.search(r"Video memory is held by [^;]*", error)
    return found.group(0) if found else ""


def install_command() -> str:
    return r".\launch.ps1 setup" if sys.platform == "win32" else f"bash {ROOT / 'launch.sh'} setup"
