"""What a failed job died of, in plain words: from its error, its stage and its worker's last lines. No torch."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..fs import nearest_existing
from ..pipeline.estimate import forecast
from ..pipeline.plans import MemoryPlan
from ..presets import Presets
from ..queue.causes import find_cause
from ..queue.faults import find_fault
from ..queue.types import Event, Job, Status
from . import texts
from .notes import say_note
from .refusals import say_refusal

RETRY, SMALLER, DOWNLOAD, PHOTO = "retry", "retry_smaller", "download", "other_photo"

ACTIONS = {
    **dict.fromkeys(("FM-WORKER-004", "FM-WORKER-005", "FM-MEM-001", "FM-MEM-002"), SMALLER),
    **dict.fromkeys(("FM-MODEL-001", "FM-MODEL-006"), DOWNLOAD),
    "FM-PHOTO-001": PHOTO,
}
"""What mends a fault with one button; all others are tried again."""


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
        error = say_refusal(str(self.values.get("error", "")), language)
        text = texts.fault(self.code, {**self.values, "error": error}, language)
        held = self.values.get("holders")
        more = f" {texts.say('labels', 'holders', {'names': held}, language)}" if held else ""
        return {
            "code": self.code,
            "title": text.title,
            "cause": text.cause + more,
            "fix": text.fix,
            "tried": [say_note(note, language) for note in self.tried],
            "action": self.action,
            "resolution": self.resolution,
        }


def diagnose(job: Job, presets: Presets) -> Diagnosis | None:
    """None for a job that has not failed."""
    if job.status is not Status.FAILED:
        return None
    first = job.error.splitlines()[0] if job.error else ""
    code, found = find_fault(job.error, job.stage)
    action, smaller = ACTIONS.get(code, RETRY), next_smaller(job.request.resolution, presets)
    if action == SMALLER and not smaller:
        action = RETRY
    home = job.folder.parent.parent
    values = {
        "error": first,
        "stage": job.stage,
        "attempts": job.attempt,
        "how": last_words(job.error),
        "model": job.request.model,
        "folder": home,
        "free": free_space(home) if code == "FM-DISK-001" else None,
        "resolution": smaller,
        "variant": "" if smaller else "alone",
        "holders": holders(first),
    }
    return Diagnosis(code, action, smaller, job.warnings, values | found)


def say_fault(event: Event, language: str = "en") -> dict[str, str]:
    """A `fault` event of a running job in plain words."""
    why = event.data.get("why", "elsewhere")
    said = {key: texts.say("idle", name, {}, language) for key, name in (("why", why), ("remedy", f"{why}_fix"))}
    text = texts.fault(event.text, {**event.data, **said}, language)
    return {"code": event.text, "title": text.title, "cause": text.cause, "fix": text.fix}


def say_cause(last_output: str, language: str = "en") -> str:
    """Why a worker crashed, in one sentence, "" when nobody knows."""
    key, values = find_cause(last_output)
    return texts.say("causes", key, values, language) if key else ""


def big_values(plan: MemoryPlan) -> dict[str, Any]:
    """For FM-MEM-004: what a video would take on this machine."""
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
    found = re.search(r"Video memory is held by (.*?)\. Close other programs", error)
    return found[1] if found else ""


def free_space(folder: Path) -> str:
    return file_size(shutil.disk_usage(nearest_existing(folder)).free)


def size(count: int, kilo: int = 1024) -> str:
    """As systems and card makers count memory: 1 GB is 2³⁰ bytes."""
    return f"{count / kilo**3:.1f} GB" if count >= kilo**3 else f"{count / kilo**2:.0f} MB"


def file_size(count: int) -> str:
    """As disks and downloads count: 1 GB is 10⁹ bytes."""
    return size(count, kilo=1000)
