"""Diagnose a failed job from its error and its stage. Without torch."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..fs import nearest_existing
from ..messages import Message, as_message, codes, texts
from ..pipeline.families.base import MemoryPlan
from ..pipeline.families.forecast import forecast
from ..presets import Presets
from ..queue.types import Event, Job, Status

RETRY, SMALLER, DOWNLOAD, PHOTO = "retry", "retry_smaller", "download", "other_photo"

ACTIONS = {
    **dict.fromkeys(("FM-WORKER-004", "FM-WORKER-005", "FM-MEM-001", "FM-MEM-002"), SMALLER),
    **dict.fromkeys(("FM-MODEL-001", "FM-MODEL-006"), DOWNLOAD),
    "FM-PHOTO-001": PHOTO,
}
"""The action of a fault's button; for all other faults it is RETRY."""

KNOWN_BY_ERRORS = ("attempts", "seconds", "free", "how", "holders")
"""Values of a job's error that are shown in its fault's text too."""


@dataclass(frozen=True)
class Diagnosis:
    """Why a job failed, and what to do.

    Attributes:
        code: of the fault.
        action: of the button: retry, retry_smaller, download or other_photo.
        resolution: the next smaller one for `retry_smaller`, "" if there is none.
        tried: messages about the plan changes before the failure.
        values: for the fault's texts.
    """

    code: str
    action: str
    resolution: str = ""
    tried: tuple[Message, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    def say(self, language: str = "en") -> dict[str, Any]:
        """Convert it for JSON, with texts in a language."""
        error = as_message(self.values.get("error", "")).say(language)
        text = texts.fault(self.code, {**self.values, "error": error.split("\n", 1)[0]}, language)
        held = self.values.get("holders")
        more = held.say(language) if isinstance(held, Message) else ""
        return {
            "code": self.code,
            "title": text.title,
            "cause": text.cause + more,
            "fix": text.fix,
            "tried": [change.say(language) for change in self.tried],
            "action": self.action,
            "resolution": self.resolution,
            "error": error,
        }


def diagnose(job: Job, presets: Presets) -> Diagnosis | None:
    """Diagnose a job. Return None if it has not failed."""
    if job.status is not Status.FAILED:
        return None
    failure, smaller = job.error, next_smaller(job.request.resolution, presets)
    code = failure.code or codes.UNFORESEEN
    action = ACTIONS.get(code, RETRY)
    if action == SMALLER and not smaller:
        action = RETRY
    home = job.folder.parent.parent
    values = {
        "error": failure,
        "stage": job.stage,
        "attempts": job.attempt,
        "how": "",
        "model": job.request.model,
        "folder": home,
        "free": free_space(home) if code == codes.DISK_FULL else None,
        "resolution": smaller,
        "variant": "" if smaller else "alone",
    }
    known = {key: value for key, value in failure.values.items() if key in KNOWN_BY_ERRORS}
    return Diagnosis(code, action, smaller, job.warnings, values | known)


def say_fault(event: Event, language: str = "en") -> dict[str, str]:
    """Convert a `fault` event of a running job for JSON, with texts in a language."""
    text = texts.fault(event.text, fault_values(event), language)
    return {"code": event.text, "title": text.title, "cause": text.cause, "fix": text.fix}


def fault_values(event: Event) -> dict[str, Any]:
    """Return the values for the texts of a `fault` event."""
    why = event.data.get("why", "elsewhere")
    return {**event.data, "why": texts.Word("idle", why), "remedy": texts.Word("idle", f"{why}_fix")}


def big_values(plan: MemoryPlan) -> dict[str, Any]:
    """Return the values of FM-MEM-004: the memory that a video needs on this machine."""
    machine = plan.machine
    on_cpu = plan.device == "cpu"
    return {
        "memory": size(forecast(plan).need),
        "free": size(machine.ram_free if on_cpu else machine.vram_free),
        "total": size(machine.ram_total if on_cpu else machine.vram_total),
        "width": plan.width,
        "height": plan.height,
    }


def next_smaller(resolution: str, presets: Presets) -> str:
    """Return the largest resolution with fewer pixels than this one, "" if it is the smallest."""
    known = presets.resolutions
    if resolution not in known:
        return ""
    area = {name: one.width * one.height for name, one in known.items()}
    below = [name for name in known if area[name] < area[resolution]]
    return max(below, key=area.__getitem__, default="")


def free_space(folder: Path) -> str:
    """Return the free space on a folder's disk as text."""
    return file_size(shutil.disk_usage(nearest_existing(folder)).free)


def size(count: int, kilo: int = 1024) -> str:
    """Format a size of memory; 1 GB is 2³⁰ bytes, as systems and GPU makers count.

    Args:
        count: bytes.
        kilo: 1024 or 1000.
    """
    return f"{count / kilo**3:.1f} GB" if count >= kilo**3 else f"{count / kilo**2:.0f} MB"


def file_size(count: int) -> str:
    """Format a size of files; 1 GB is 10⁹ bytes, as disks and downloads count."""
    return size(count, kilo=1000)
