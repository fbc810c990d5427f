"""Out of memory: how to know it, and what worked on this machine before. No torch at import."""

import json
import logging
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..fs import write_json
from ..settings import Settings
from .memory import MemoryPlan, Offload
from .memory import plan as planned

log = logging.getLogger(__name__)

# torch has a class for the allocator's own OOM only; drivers and libraries speak through plain RuntimeErrors
# (accelerate's detector misses these; so do others: huggingface/accelerate `should_reduce_batch_size`).
MESSAGES = (
    "out of memory",
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized",  # what cuBLAS says when its handle finds no memory
    "cudnn_status_alloc_failed",
    "cudnn_status_not_initialized",
    "unable to find an engine to execute this computation",  # what cuDNN says when no engine's work space fits
    "hipblas_status_alloc_failed",
)
RAM_MESSAGES = (
    "cudnn_status_internal_error_host_allocation_failed",
    "defaultcpuallocator: can't allocate memory",
    "defaultcpuallocator: not enough memory",  # Windows
    "unable to allocate",  # numpy
    "cannot allocate memory",  # ENOMEM: mmap of a weights file, a new thread
    "not enough memory resources are available",  # WinError 8
    "the paging file is too small",  # WinError 1455
)

ENOMEM = 12
WIN_CODES = (8, 14, 1455)  # not enough memory, out of memory, the paging file is too small
# safetensors and other Rust libraries put the system's words, in its language, before the number.
OS_ERROR = re.compile(r"\(os error (?:8|14|1455)\)" if sys.platform == "win32" else r"\(os error (?:12|1455)\)")


def is_oom(error: BaseException) -> bool:
    """Whether the error, or one it came from, says that memory ran out: the GPU's or the machine's."""
    return any(_is_gpus(e) or _is_rams(e) for e in _chain(error))


def is_ram(error: BaseException) -> bool:
    """Whether it was the machine's own memory, not the GPU's."""
    return any(_is_rams(e) for e in _chain(error))


def _is_gpus(error: BaseException) -> bool:
    if type(error).__name__ in ("OutOfMemoryError", "AcceleratorOutOfMemoryError"):
        return True
    return isinstance(error, (RuntimeError, OSError, ValueError)) and _says(error, MESSAGES)


def _is_rams(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and (error.errno == ENOMEM or getattr(error, "winerror", None) in WIN_CODES):
        return True
    if type(error).__name__ != "SafetensorError" and not isinstance(error, (RuntimeError, OSError, ValueError)):
        return False
    return OS_ERROR.search(str(error).lower()) is not None or _says(error, RAM_MESSAGES)


def _says(error: BaseException, messages: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(message in text for message in messages)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None):
            return
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


class PlanMemory:
    """What worked: `memory.json` in the data folder. A lost or damaged file costs an estimate, never a job.

    Keyed by machine, model and wished size, so that one greedy model does not make others small.
    """

    VERSION = 2
    """1 counted a step's operations without attention, and offload without streams."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.home / "memory.json"

    def recall(self, plan: MemoryPlan, model: str) -> MemoryPlan:
        """The plan that ended well here after this one, or one like it, had not; otherwise `plan` itself.

        A step down is remembered together with the memory that was free when it was needed: with more than that the
        full plan is tried again (another program held the rest then).
        """
        data = self._read()
        if plan.dtype == "float16" and _place(plan, model) in data.get("float32", ()):
            plan = planned(plan.machine, plan.model, plan.work, "float32")
        entry = data.get("plans", {}).get(self.key(plan, model))
        try:
            if all(getattr(plan.machine, name) > 1.1 * free for name, free in entry["short"].items()):
                return plan
            settings = dict(entry["settings"]) | {"offload": Offload(entry["settings"]["offload"])}
            kept = replace(plan, **settings)
        except (AttributeError, KeyError, TypeError, ValueError):
            return plan
        # A plan that starts lower by itself (less is free than then) is not lifted up, but where that spares RAM.
        lower = kept.need <= plan.need or (kept.ram < plan.ram and kept.need <= kept.limit)
        return kept if lower or kept.device != plan.device else plan

    def remember(self, first: MemoryPlan, worked: MemoryPlan, model: str, short: Mapping[str, int]) -> None:
        """`worked` carried the job that had begun with `first`. Nothing is stored when the first one did it.

        short: what ran out on the way, as `Machine` names it (`vram_free`, `ram_free`), and how much there was, bytes.
        """
        if worked.settings == first.settings:
            return
        data = self._read()
        entry = {"settings": worked.settings, "short": dict(short)}
        data.setdefault("plans", {})[self.key(first, model)] = entry
        self._write(data)

    def widen(self, plan: MemoryPlan, model: str) -> None:
        """This card gives NaN in 16-bit numbers with this model, not in 32-bit ones. Plans in 16 are forgotten."""
        data, place = self._read(), _place(plan, model)
        data["float32"] = sorted({*data.get("float32", ()), place})
        data["plans"] = {key: kept for key, kept in data.get("plans", {}).items() if not key.startswith(f"{place}|")}
        self._write(data)

    def forget(self) -> None:
        """Start from the estimates again."""
        self.path.unlink(missing_ok=True)

    @property
    def speeds(self) -> dict[str, float]:
        """Measured speed by device key, 10¹² operations a second."""
        found = self._read().get("speeds", {})
        return {k: float(v) for k, v in found.items() if isinstance(v, (int, float)) and v > 0}

    def measured(self, plan: MemoryPlan, seconds: float, share: float = 1.0) -> None:
        """`share` of the plan's sampling took so many seconds: later estimates on this machine start from that."""
        from .progress import Stage

        expected = plan.stage_seconds[Stage.SAMPLING] * share
        if seconds <= 0 or expected <= 0:
            return
        machine = plan.machine
        guess = machine.gpu_speed if plan.device != "cpu" else machine.cpu_speed
        data = self._read()
        speeds = data.setdefault("speeds", {})
        key, now = speed_key(plan.device, machine.name, plan.model.large), guess * expected / seconds
        old = speeds.get(key)
        speeds[key] = round(now if not isinstance(old, (int, float)) else 0.5 * (old + now), 4)
        self._write(data)

    @staticmethod
    def key(plan: MemoryPlan, model: str) -> str:
        work = plan.work
        return f"{_place(plan, model)}|{work.width}x{work.height}x{plan.model.frames}"

    def _read(self) -> dict[str, Any]:
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as e:
            log.debug("%s is not used: %s", self.path, e)
            return {}
        return data if isinstance(data, dict) and data.get("version") == self.VERSION else {}

    def _write(self, data: dict[str, Any]) -> None:
        try:
            write_json(self.path, data | {"version": self.VERSION})
        except OSError as e:
            log.debug("%s was not written: %s", self.path, e)


def _place(plan: MemoryPlan, model: str) -> str:
    return f"{_here(plan.machine.device, plan.machine.name)}|{model}"


def speed_key(device: str, name: str, large: bool) -> str:
    """Small models reach another share of a device's speed than full-size ones."""
    return f"{_here(device, name)}|{'large' if large else 'small'}"


def _here(device: str, name: str) -> str:
    """The device of this computer; processors are all called the same."""
    return f"{platform.node()}|{name if device != 'cpu' else 'cpu'}"
